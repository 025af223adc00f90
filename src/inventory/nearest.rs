//! Words in messages: the known one nearest to one that is not known, lists of them, and the user's own.

/// `did you mean …?`, if one of the known words is near.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean `{near}`?"))
}

/// The known word nearest to `word`, if any is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(80).flat_map(char::to_lowercase).collect();
    let limit = (word.len() / 3).max(1);
    known
        .into_iter()
        .map(|known| {
            (
                distance(&word, &known.to_lowercase().chars().collect::<Vec<_>>()),
                known,
            )
        })
        .filter(|(distance, known)| *distance <= limit && *distance < known.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters must be changed, added, removed or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// `a`, `b` and `c`, for messages; long lists are cut.
#[must_use]
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] if first.len() < 24 => format!("{} and {last}", first.join(", ")),
        long => format!("{} and {} more", long[..24].join(", "), long.len() - 24),
    }
}

/// A text of the user's, in backquotes: short, on one line, and without anything a terminal would obey.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(60)
        .collect::<String>()
        .escape_debug()
        .collect();
    out = out.replace("\\'", "'").replace("\\\"", "\"");
    if text.chars().nth(60).is_some() {
        out.push('…');
    }
    format!("`{out}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["servers", "version", "config", "on"];
        assert_eq!(nearest("server", known), Some("servers"));
        assert_eq!(nearest("verison", known), Some("version"));
        assert_eq!(nearest("CONFIG", known), Some("config"));
        assert_eq!(nearest("heap", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn a_list_reads_as_a_sentence() {
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
