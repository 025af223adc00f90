//! Text in XML.

/// A text as it stands between two tags (XML 1.0, section 2.4).
#[must_use]
pub fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
}
