//! Enhanced status codes (RFC 3463, RFC 5248).

use std::fmt;

use serde::{Deserialize, Serialize};

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Status {
    /// 2, 4 or 5.
    pub class: u8,
    /// What it concerns.
    pub subject: u16,
    /// What precisely.
    pub detail: u16,
}

impl Status {
    /// `class.subject.detail`.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Reads `5.1.1`: a class of 2, 4 or 5, and two numbers of up to three digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let class = parts.next().filter(|class| matches!(*class, "2" | "4" | "5"))?.parse().ok()?;
        let number = |part: &str| {
            let digits = (1..=3).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let (subject, detail) = (number(parts.next()?)?, number(parts.next()?)?);
        parts.next().is_none().then_some(Self { class, subject, detail })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_codes_are_read_as_rfc_3463_writes_them() {
        for text in ["2.0.0", "4.4.2", "5.1.10", "5.7.509"] {
            assert_eq!(Status::parse(text).map(|status| status.to_string()).as_deref(), Some(text));
        }
        for text in ["", "5", "5.1", "5.1.1.1", "3.0.0", "55.1.1", "5.1.1000", "5..1", "5.1.x", "5.+1.1"] {
            assert_eq!(Status::parse(text), None, "{text}");
        }
    }
}
