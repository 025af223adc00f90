//! Words for people that many parts of the program need.

/// The first of a list's words, and how many more there are.
pub fn first(words: impl IntoIterator<Item = String>, most: usize, between: &str) -> String {
    let mut words = words.into_iter();
    let named: Vec<String> = words.by_ref().take(most).collect();
    let named = named.join(between);
    match words.count() {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_a_long_list_the_rest_is_counted() {
        let first = |n: u32| super::first((1..=n).map(|n| n.to_string()), 2, ", ");
        assert_eq!(
            [first(0), first(2), first(5)],
            ["", "1, 2", "1, 2 and 3 more"]
        );
    }
}
