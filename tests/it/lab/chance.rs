//! Numbers by chance that a seed brings back.

/// A small generator (SplitMix64).
pub struct Chance(u64);

impl Chance {
    /// From `SDTD_SEED`, else from the clock. The seed is told, so that a failure can be repeated.
    pub fn new(what: &str) -> Self {
        let given = std::env::var("SDTD_SEED").ok().and_then(|s| s.parse().ok());
        let clock = || {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.map_or(1, |d| d.as_secs())
        };
        let seed = given.unwrap_or_else(clock);
        super::say(&format!("{what}: SDTD_SEED={seed}"));
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of so many places.
    pub fn below(&mut self, count: usize) -> usize {
        let place = self.between(0, u64::try_from(count).expect("few"));
        usize::try_from(place).expect("few")
    }

    /// A whole number in a range, its end left out.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }
}
