//! RE2's syntax, as RE2/J reads it for Kafka, written anew in that of the `regex` crate.
//!
//! The two differ in what they refuse and in what brackets, backslashes and flags mean; what can be matched is the same.
//! Whatever is read here is checked and then written in the few forms that the crate cannot take otherwise: sets of
//! characters by number, groups without names, flags other than that for case, which is resolved here.

use std::collections::BTreeSet;

use super::classes::Set;
use super::pattern::PatternError;

type Result<T> = std::result::Result<T, PatternError>;

/// How often something may be repeated by number.
const REPEAT_MAX: u64 = 1000;

/// Writes an expression anew.
pub(super) fn translate(text: &str) -> Result<String> {
    let mut reader = Reader {
        rest: text,
        out: String::with_capacity(text.len() * 2),
        flags: String::new(),
        last: Last::Nothing,
        fold: false,
        open: Vec::new(),
        names: BTreeSet::new(),
    };
    while !reader.rest.is_empty() {
        reader.piece()?;
    }
    if reader.open.is_empty() { Ok(reader.out) } else { Err(PatternError::Unclosed(')')) }
}

/// What a repetition would repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Item,
    Repetition,
}

struct Reader<'t> {
    rest: &'t str,
    out: String,
    /// Flags that hold from the next item on. A repetition that follows them is of what stands before them.
    flags: String,
    last: Last,
    /// Whether case does not count.
    fold: bool,
    /// For each open group, whether case did not count before it.
    open: Vec<bool>,
    names: BTreeSet<&'t str>,
}

impl<'t> Reader<'t> {
    fn take(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let found = self.rest.strip_prefix(prefix);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn write(&mut self, text: &str, last: Last) {
        self.out.push_str(&std::mem::take(&mut self.flags));
        self.out.push_str(text);
        self.last = last;
    }

    fn item(&mut self, set: Set) {
        let mut class = String::new();
        set.write(&mut class);
        self.write(&class, Last::Item);
    }

    fn literal(&mut self, character: char) {
        self.item(Set::one(character, self.fold));
    }

    /// Reads one piece of the expression.
    fn piece(&mut self) -> Result<()> {
        let Some(next) = self.take() else { return Ok(()) };
        match next {
            '(' => return self.group(),
            ')' => {
                self.fold = self.open.pop().ok_or(PatternError::Unopened)?;
                self.flags.clear();
                self.write(")", Last::Item);
            }
            '|' => self.write("|", Last::Nothing),
            '^' | '$' | '.' => self.write(&next.to_string(), Last::Item),
            '[' => {
                let class = self.class()?;
                self.item(class);
            }
            '*' | '+' | '?' => return self.repeat(&next.to_string()),
            '{' => match self.counts()? {
                Some(counts) => return self.repeat(&counts),
                None => {
                    self.literal('{');
                    // RE2/J takes it for a repetition still when the next one follows.
                    self.last = Last::Repetition;
                }
            },
            '\\' => return self.escape(),
            _ => self.literal(next),
        }
        Ok(())
    }

    fn repeat(&mut self, operator: &str) -> Result<()> {
        match self.last {
            Last::Nothing => return Err(PatternError::NothingToRepeat),
            Last::Repetition => return Err(PatternError::NestedRepetition),
            Last::Item => self.last = Last::Repetition,
        }
        self.out.push_str(operator);
        if self.skip("?") {
            self.out.push('?');
        }
        Ok(())
    }

    /// What follows a brace, if it is a repetition: `3}`, `3,}` or `3,5}`.
    fn counts(&mut self) -> Result<Option<String>> {
        let Some((inside, rest)) = self.rest.split_once('}') else { return Ok(None) };
        let (least, most) = match inside.split_once(',') {
            Some((least, most)) => (number(least), if most.is_empty() { None } else { Some(number(most)) }),
            None => (number(inside), Some(number(inside))),
        };
        let (Some(least), None | Some(Some(_))) = (least, most) else { return Ok(None) };
        let most = most.flatten();
        if least > REPEAT_MAX || most.is_some_and(|most| most > REPEAT_MAX || most < least) {
            return Err(PatternError::RepeatCount);
        }
        self.rest = rest;
        let most = most.map_or_else(String::new, |most| most.to_string());
        Ok(Some(format!("{{{least},{most}}}")))
    }

    /// What follows an opening parenthesis.
    fn group(&mut self) -> Result<()> {
        let before = self.fold;
        if !self.skip("?") {
            self.write("(?:", Last::Nothing);
        } else if self.skip("P<") || self.skip("<") {
            self.name()?;
            self.write("(?:", Last::Nothing);
        } else if !self.flags()? {
            return Ok(());
        }
        self.open.push(before);
        Ok(())
    }

    /// A group's name, up to its end.
    fn name(&mut self) -> Result<()> {
        let (name, rest) = self.rest.split_once('>').ok_or(PatternError::GroupName)?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(PatternError::GroupName);
        }
        if !self.names.insert(name) {
            return Err(PatternError::DuplicateGroup(name.to_owned()));
        }
        self.rest = rest;
        Ok(())
    }

    /// Flags, up to their end; says whether a group begins with them.
    fn flags(&mut self) -> Result<bool> {
        let (mut on, mut off, mut negative) = (String::new(), String::new(), false);
        let mut fold = self.fold;
        loop {
            let next = self.take().ok_or(PatternError::Perl)?;
            let flags = if negative { &mut off } else { &mut on };
            match next {
                'i' => {
                    fold = !negative;
                    // Resolved here: only that something stood there matters.
                    flags.push('i');
                }
                'm' | 's' | 'U' => flags.push(next),
                '-' if !negative => negative = true,
                ':' | ')' if !(negative && off.is_empty()) => {
                    self.fold = fold;
                    self.write_flags(&on, &off, next);
                    return Ok(next == ':');
                }
                _ => return Err(PatternError::Perl),
            }
        }
    }

    fn write_flags(&mut self, on: &str, off: &str, end: char) {
        let has = |flags: &str, flag: char| flags.contains(flag);
        // The later one counts, and none may stand twice.
        let off: String = "msU".chars().filter(|flag| has(off, *flag)).collect();
        let on: String = "msU".chars().filter(|flag| has(on, *flag) && !has(&off, *flag)).collect();
        let minus = if off.is_empty() { "" } else { "-" };
        if end == ':' {
            self.write(&format!("(?{on}{minus}{off}:"), Last::Nothing);
            return;
        }
        if !on.is_empty() || !off.is_empty() {
            self.flags.push_str(&format!("(?{on}{minus}{off})"));
        }
        if self.last == Last::Repetition {
            self.last = Last::Item;
        }
    }

    /// What follows a backslash, outside of brackets.
    fn escape(&mut self) -> Result<()> {
        if self.skip("Q") {
            let (literal, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            literal.chars().for_each(|character| self.literal(character));
            return Ok(());
        }
        if let Some(set) = self.escaped_set()? {
            self.item(set);
            return Ok(());
        }
        for assertion in ["A", "z", "b", "B"] {
            if self.skip(assertion) {
                self.write(&format!("\\{assertion}"), Last::Item);
                return Ok(());
            }
        }
        let character = self.escaped_character()?;
        self.literal(character);
        Ok(())
    }

    /// `\d`, `\pL`, `\P{Greek}` and the like, after the backslash.
    fn escaped_set(&mut self) -> Result<Option<Set>> {
        let fold = self.fold;
        let mut ahead = self.rest.chars();
        let Some(letter) = ahead.next() else { return Err(PatternError::TrailingBackslash) };
        if let Some(set) = Set::of_perl(letter.to_ascii_lowercase()) {
            self.rest = ahead.as_str();
            return Ok(Some(set.folded(fold).negated(letter.is_ascii_uppercase())));
        }
        if letter != 'p' && letter != 'P' {
            return Ok(None);
        }
        self.rest = ahead.as_str();
        let name = if self.skip("{") {
            let (name, rest) = self.rest.split_once('}').ok_or(PatternError::Class)?;
            self.rest = rest;
            name
        } else {
            let whole = self.rest;
            let length = self.take().ok_or(PatternError::Class)?.len_utf8();
            &whole[..length]
        };
        let (name, caret) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let set = Set::of_unicode(name).ok_or(PatternError::Class)?;
        Ok(Some(set.folded(fold).negated((letter == 'P') != caret)))
    }

    /// One character, after the backslash.
    fn escaped_character(&mut self) -> Result<char> {
        let whole = self.rest;
        let next = self.take().ok_or(PatternError::TrailingBackslash)?;
        let character = match next {
            '0' => self.octal(0),
            // With one digit only it would be what an earlier group matched, which no automaton knows.
            '1'..='7' if self.rest.starts_with(|digit: char| ('0'..='7').contains(&digit)) => {
                self.octal(u32::from(next) - u32::from('0'))
            }
            'x' => self.hexadecimal(),
            'a' => Some('\x07'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            _ if next.is_ascii() && !next.is_ascii_alphanumeric() => Some(next),
            _ => None,
        };
        character.ok_or_else(|| PatternError::Escape(whole.chars().take(1).collect()))
    }

    /// Up to two more digits.
    fn octal(&mut self, mut value: u32) -> Option<char> {
        for _ in 0..2 {
            let Some(digit) = self.rest.chars().next().and_then(|digit| digit.to_digit(8)) else { break };
            value = value * 8 + digit;
            self.rest = &self.rest[1..];
        }
        char::from_u32(value)
    }

    /// Two digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Option<char> {
        let (digits, rest) = match self.rest.strip_prefix('{') {
            Some(inside) => inside.split_once('}')?,
            None => self.rest.split_at_checked(2)?,
        };
        self.rest = rest;
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| all_digits).and_then(char::from_u32)
    }

    /// What follows an opening bracket.
    fn class(&mut self) -> Result<Set> {
        let negated = self.skip("^");
        let mut class = Set::default();
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            if self.rest.is_empty() {
                return Err(PatternError::Unclosed(']'));
            }
            class = class.with(self.class_member()?);
            first = false;
        }
        self.take();
        Ok(class.negated(negated))
    }

    fn class_member(&mut self) -> Result<Set> {
        if let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|inside| inside.split_once(":]")) {
            let (name, caret) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
            let set = Set::of_posix(name).ok_or(PatternError::Class)?;
            self.rest = rest;
            return Ok(set.folded(self.fold).negated(caret));
        }
        let begin = self.rest;
        if self.skip("\\") {
            if let Some(set) = self.escaped_set()? {
                return Ok(set);
            }
            self.rest = begin;
        }
        let first = self.class_character()?;
        let is_range = self.rest.starts_with('-') && self.rest.len() > 1 && !self.rest.starts_with("-]");
        if !is_range {
            return Ok(Set::one(first, self.fold));
        }
        self.skip("-");
        let last = self.class_character()?;
        if last < first { Err(PatternError::Class) } else { Ok(Set::range(first, last, self.fold)) }
    }

    fn class_character(&mut self) -> Result<char> {
        if self.skip("\\") {
            return self.escaped_character();
        }
        self.take().ok_or(PatternError::Unclosed(']'))
    }
}

/// A number without zeros in front; one that is too large for any use counts as such.
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let padded = digits.len() > 1 && digits.starts_with('0');
    (plain && !padded).then(|| digits.parse().unwrap_or(u64::MAX))
}
