//! Reads a properties file into names and texts.

use std::path::Path;

use broker::config::{Texts, properties};

use crate::failure::Failure;

/// Reads the file; a missing one gets a hint.
pub fn read(path: &Path) -> Result<Texts, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    // Java reads these files as Latin-1; people write UTF-8. What is not UTF-8 is taken as Latin-1.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.into_bytes().iter().map(|byte| char::from(*byte)).collect());
    let parsed =
        properties::parse(&text).map_err(|bad| Failure::new(format!("{}: {bad}", path.display())))?;
    Ok(parsed.into_iter().map(|property| (property.key, property.value)).collect())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::new(format!("cannot read the settings in {}: {error}", path.display()));
    let word = path.to_string_lossy();
    if error.kind() == std::io::ErrorKind::NotFound && crate::could_be_a_command(&word) {
        return failure
            .hint(format!("{word} is neither a file nor a command; headwater --help lists the commands"));
    }
    failure
}
