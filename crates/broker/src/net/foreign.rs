//! Other protocols on a Kafka port: told apart by their first bytes, so that the log says what is wrong.

use std::fmt;

/// A protocol that is not Kafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// An HTTP request, of version 1 or 2.
    Http,
    /// A TLS client hello on a listener without TLS.
    Tls,
}

impl Foreign {
    /// Recognises a protocol from the first bytes of a connection.
    pub fn recognise(bytes: &[u8]) -> Option<Self> {
        const METHODS: [&[u8]; 9] =
            [b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC", b"CONN", b"PRI "];
        // A TLS record: handshake (22), then version 3.0 to 3.4. As a length it would be over 300 MiB.
        if let [22, 3, 0..=4, ..] = bytes {
            return Some(Self::Tls);
        }
        METHODS.iter().any(|method| bytes.starts_with(method)).then_some(Self::Http)
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => {
                "an HTTP request came to a Kafka port: HTTP has a port of its own (headwater.http.listen)"
            }
            Self::Tls => {
                "a TLS hello came to a listener without TLS: set security.protocol=PLAINTEXT in the client"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_protocol() {
        assert_eq!(Foreign::recognise(b"GET / HTTP/1.1\r\n"), Some(Foreign::Http));
        assert_eq!(Foreign::recognise(b"PRI * HTTP/2.0\r\n"), Some(Foreign::Http));
        assert_eq!(Foreign::recognise(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]), Some(Foreign::Tls));
        assert_eq!(Foreign::recognise(&[0, 0, 0, 26, 0, 18, 0, 3]), None);
        assert_eq!(Foreign::recognise(b"GE"), None);
    }
}
