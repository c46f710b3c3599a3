//! Java's `.properties` format: the text of `server.properties`.
//!
//! Lines of `key=value`, `key:value` or `key value`; `#` and `!` start a comment; a backslash at the end
//! continues the line; `\t \n \r \f`, `\u` with four hexadecimal digits, and `\` before any other character are escapes. A key that
//! comes twice keeps its last value. This file knows nothing about which keys exist.

use thiserror::Error;

/// One `key = value` of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The unescaped key.
    pub key: String,
    /// The unescaped value, as written: not trimmed at its end.
    pub value: String,
    /// The line it starts on, from 1.
    pub line: usize,
}

/// A text that is not a properties file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: \\u must be followed by four hexadecimal digits, as in \\u00e9")]
pub struct BadEscape {
    /// The line, from 1.
    pub line: usize,
}

/// Reads a whole file.
///
/// # Errors
/// [`BadEscape`] at a `\u` without four hexadecimal digits, the one thing that Java refuses.
pub fn parse(text: &str) -> Result<Vec<Property>, BadEscape> {
    // A line ends at \n, \r or both, on whatever system the file was written.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut properties = Vec::new();
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((line, first)) = lines.next() {
        let mut logical = trim_start(first).to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while continues(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(trim_start(next)),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        let unescaped = |part: &str| unescape(part).ok_or(BadEscape { line });
        properties.push(Property { key: unescaped(key)?, value: unescaped(value)?, line });
    }
    Ok(properties)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn trim_start(line: &str) -> &str {
    line.trim_start_matches(is_blank)
}

/// An odd number of backslashes at the end: the last one is not escaped.
fn continues(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

/// Splits at the first unescaped `=`, `:` or blank; blanks around one separator belong to neither side.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c| {
        if escaped {
            escaped = false;
            return false;
        }
        escaped = c == '\\';
        c == '=' || c == ':' || is_blank(c)
    });
    let Some(end) = end else { return (line, "") };
    let rest = trim_start(&line[end..]);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..end], trim_start(rest))
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = if c != '\\' {
            Some(c)
        } else {
            match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let valid = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                    units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| valid)?);
                    None
                }
                Some('t') => Some('\t'),
                Some('n') => Some('\n'),
                Some('r') => Some('\r'),
                Some('f') => Some('\u{c}'),
                other => other,
            }
        };
        if let Some(plain) = plain {
            flush(&mut units, &mut out);
            out.push(plain);
        }
    }
    flush(&mut units, &mut out);
    Some(out)
}

/// Java strings are UTF-16, so two `\u` escapes may be one character.
fn flush(units: &mut Vec<u16>, out: &mut String) {
    out.extend(char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|property| (property.key, property.value)).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn separators_and_blanks() {
        for line in ["a=b", "a:b", "a b", "a = b", "  a\t:\tb", "a  b", "\u{c}a=b"] {
            assert_eq!(pairs(line), [pair("a", "b")], "{line:?}");
        }
        assert_eq!(pairs("a==b"), [pair("a", "=b")]);
        assert_eq!(pairs("a = = b"), [pair("a", "= b")]);
        assert_eq!(pairs("a"), [pair("a", "")]);
        assert_eq!(pairs("a="), [pair("a", "")]);
        assert_eq!(pairs("=b"), [pair("", "b")]);
        assert_eq!(pairs("a=b  "), [pair("a", "b  ")]);
    }

    #[test]
    fn comments_and_empty_lines_are_skipped() {
        assert_eq!(
            pairs("# a=b\n! c=d\n\n   # e=f\ng=h # not a comment\r\n"),
            [pair("g", "h # not a comment")]
        );
        assert_eq!(pairs("# ends with a backslash \\\na=b"), [pair("a", "b")]);
    }

    #[test]
    fn backslash_continues_a_line() {
        assert_eq!(pairs("a=1,\\\n   2,\\\n\t3\nb=4"), [pair("a", "1,2,3"), pair("b", "4")]);
        assert_eq!(pairs("a=b\\\\\nc=d"), [pair("a", "b\\"), pair("c", "d")]);
        assert_eq!(pairs("a=b\\"), [pair("a", "b")]);
        assert_eq!(pairs("a=\\\n# b"), [pair("a", "# b")]);
    }

    #[test]
    fn escapes() {
        assert_eq!(pairs(r"a\=b\:c\ d=e"), [pair("a=b:c d", "e")]);
        assert_eq!(pairs(r"a=\t\n\r\f\\\q"), [pair("a", "\t\n\r\u{c}\\q")]);
        assert_eq!(pairs(r"a=caf\u00e9 \ud83d\ude00"), [pair("a", "café 😀")]);
        assert_eq!(pairs("a=café"), [pair("a", "café")]);
        assert_eq!(parse("x=1\na=\\u00g1"), Err(BadEscape { line: 2 }));
        assert_eq!(parse("a=\\u12"), Err(BadEscape { line: 1 }));
    }

    #[test]
    fn lines_are_counted_from_one() {
        let lines: Vec<usize> =
            parse("\na=1\\\n2\n# c\nb=3").unwrap().iter().map(|property| property.line).collect();
        assert_eq!(lines, [2, 5]);
        assert_eq!(pairs("a=1\rb=2\r\nc=3"), [pair("a", "1"), pair("b", "2"), pair("c", "3")]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z=: \\\\\n\ru0-9#!\t]{0,60}|.{0,60}") {
            if let Ok(properties) = parse(&text) {
                let lines = text.split(['\n', '\r']).count();
                assert!(properties.iter().all(|property| (1..=lines).contains(&property.line)));
            }
        }

        #[test]
        fn what_is_escaped_comes_back(key in "[a-z.]{1,9}", value in "[^\r\n]{0,40}") {
            let escaped = value.replace('\\', "\\\\");
            let escaped = if escaped.starts_with([' ', '\t', '\u{c}', '=', ':']) { format!("\\{escaped}") } else { escaped };
            // What Java's reader splits lines at is only what the generator leaves out.
            assert_eq!(pairs(&format!("{key}={escaped}")), [pair(&key, &value)]);
        }
    }
}
