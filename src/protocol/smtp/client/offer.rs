//! What a server offers in its answer to `EHLO` (RFC 5321 §4.1.1.1). What is not understood is not used.

/// The extensions that make a difference to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offer {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870): with a limit, or without one that it tells.
    pub size: Option<Option<u64>>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// SMTPUTF8 (RFC 6531).
    pub utf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// STARTTLS (RFC 3207).
    pub start_tls: bool,
    /// AUTH PLAIN (RFC 4616).
    pub plain: bool,
    /// AUTH LOGIN, which no RFC describes and many servers want.
    pub login: bool,
    /// Recipients of one transaction (RFC 9422).
    pub recipients: Option<usize>,
}

impl Offer {
    /// Reads the lines of the answer; the first is a greeting.
    pub(super) fn read(lines: &[String]) -> Self {
        let mut offer = Self::default();
        for line in lines.iter().skip(1) {
            offer.line(&line.to_ascii_uppercase());
        }
        offer
    }

    fn line(&mut self, line: &str) {
        // `AUTH=PLAIN` is how servers wrote it before RFC 2554.
        let (keyword, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
        match keyword.trim_end() {
            "PIPELINING" => self.pipelining = true,
            "SIZE" => self.size = Some(rest.trim().parse().ok().filter(|limit| *limit > 0)),
            "8BITMIME" => self.eight_bit = true,
            "SMTPUTF8" => self.utf8 = true,
            "DSN" => self.dsn = true,
            "STARTTLS" => self.start_tls = true,
            "AUTH" => {
                self.plain |= rest.split_whitespace().any(|mechanism| mechanism == "PLAIN");
                self.login |= rest.split_whitespace().any(|mechanism| mechanism == "LOGIN");
            }
            "LIMITS" => {
                let limit = rest.split_whitespace().find_map(|limit| limit.strip_prefix("RCPTMAX="));
                self.recipients = limit.and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Offer {
        Offer::read(&lines.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn extensions_are_found_in_any_spelling() {
        let offer = read(
            "dsn.example greets you\nPipelining\nSIZE 1000\n8bitmime\nSMTPUTF8\nDSN\nSTARTTLS\nAUTH CRAM-MD5 plain login\n\
             LIMITS MAILMAX=5 RCPTMAX=20\nX-NEW thing",
        );
        assert!(offer.pipelining && offer.eight_bit && offer.utf8 && offer.dsn && offer.start_tls && offer.plain && offer.login);
        assert_eq!((offer.size, offer.recipients), (Some(Some(1000)), Some(20)));
    }

    #[test]
    fn what_makes_no_sense_is_not_offered() {
        assert_eq!(read("PIPELINING"), Offer::default());
        assert_eq!(read("host\nSIZE 0").size, Some(None));
        assert_eq!(read("host\nSIZE many").size, Some(None));
        assert_eq!(read("host\nLIMITS RCPTMAX=0").recipients, None);
        let old = read("host\nAUTH=LOGIN\nPIPELININGX\n 8BITMIME");
        assert_eq!(old, Offer { login: true, ..Offer::default() });
    }
}
