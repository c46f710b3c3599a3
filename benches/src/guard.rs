//! A guard: what a thing may cost at most, and that it is noticed when it costs more.
//!
//! Each is measured twice, as things are and with a regression planted in the broker or its load as a careless change would
//! bring it; where the second measurement is within the bound too, the guard guards nothing, and fails.

use std::io::{Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than a broker takes to receive what has come.
const BETWEEN_PIECES: Duration = Duration::from_micros(300);

/// A bound, and what is planted to see it trip.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// What is counted.
    pub what: &'static str,
    /// How much of it there may be.
    pub most: f64,
    /// The regression.
    pub planted: &'static str,
}

impl Guard {
    /// Judges what was measured as things are, and what was measured with the regression.
    ///
    /// # Panics
    /// The first is over the bound, or the second is not.
    pub fn judge(&self, is: f64, planted: f64) {
        let Self { what, most, planted: plant } = self;
        println!("{what}: {is:.3}, at most {most}; {plant}: {planted:.3}");
        assert!(is <= *most, "{what}: {is:.3}, and {most} are allowed");
        assert!(planted > *most, "{what}: {plant} goes unnoticed, {planted:.3} where {most} are allowed");
    }
}

/// Sends a request; torn, in two pieces, so that whoever receives it has to do so once more.
pub(crate) fn send(mut stream: &TcpStream, request: &[u8], torn: bool) -> Result<()> {
    if !torn {
        return stream.write_all(request);
    }
    let (front, rest) = request.split_at(request.len() / 2);
    stream.write_all(front)?;
    std::thread::sleep(BETWEEN_PIECES);
    stream.write_all(rest)
}
