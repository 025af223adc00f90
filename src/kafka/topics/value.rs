//! When two spellings of a setting's value mean the same.

/// Whether the broker would write `wanted` as `have`: blanks, the case of true and false, leading zeros
/// and zeros behind the point do not matter.
pub fn same(wanted: &str, have: &str) -> bool {
    let (wanted, have) = (wanted.trim(), have.trim());
    wanted == have || booleans(wanted, have) || numbers(wanted, have) || lists(wanted, have)
}

fn booleans(a: &str, b: &str) -> bool {
    (b == "true" || b == "false") && a.eq_ignore_ascii_case(b)
}

fn numbers(a: &str, b: &str) -> bool {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => {
            let fraction = |s: &str| {
                s.bytes()
                    .all(|c| c.is_ascii_digit() || b"+-.eE".contains(&c))
                    .then(|| s.parse::<f64>().ok())?
            };
            // Bits, not distance: both sides come from decimal text.
            matches!((fraction(a), fraction(b)), (Some(a), Some(b)) if a.to_bits() == b.to_bits())
        }
    }
}

fn lists(a: &str, b: &str) -> bool {
    let parts = |s: &str| {
        s.split(',')
            .map(|p| p.trim().to_owned())
            .collect::<Vec<_>>()
    };
    b.contains(',') && parts(a) == parts(b)
}
