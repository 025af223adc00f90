//! SHA-256 of texts, bytes as hexadecimal digits, and identifiers made of texts.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The SHA-256 of a text, in hexadecimal.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// An identifier made of a text: 16 bytes as 22 characters of base64url (RFC 4648). The first is never `-`, so
/// that it can stand on a command line.
#[must_use]
pub fn uuid_of(text: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    bytes[0] &= 0x7f;
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether a text is such an identifier.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    let bytes = URL_SAFE_NO_PAD.decode(text);
    !text.starts_with('-') && bytes.is_ok_and(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_of_their_text_and_fit_a_command_line() {
        assert_eq!(uuid_of("a"), uuid_of("a"));
        assert_ne!(uuid_of("a"), uuid_of("b"));
        for n in 0..1000 {
            assert!(is_uuid(&uuid_of(&n.to_string())), "{n}");
        }
        assert!(is_uuid("MkU3OEVBNTcwNTJENDM2Qg"));
        for bad in [
            "",
            "-kU3OEVBNTcwNTJENDM2Qg",
            "short",
            "MkU3OEVBNTcwNTJENDM2Qg==",
        ] {
            assert!(!is_uuid(bad), "{bad}");
        }
    }
}
