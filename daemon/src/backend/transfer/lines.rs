//! The lines of an export, read one by one: their form, their sums, their counts, and the proof at the end.

use std::io;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use super::{Counts, Line, TransferError, proof, read_line};
use crate::backend::{
    backup::hex,
    store::transfer::{Kind, Record},
};

/// Bytes of the longest line that is read.
const LONGEST: usize = 64 << 20;

pub(super) struct Lines<R> {
    input: BufReader<R>,
    name: String,
    line: Vec<u8>,
    /// Of the line that was read last.
    pub(super) number: u64,
    /// Bytes of the lines so far, without one that was cut off.
    pub(super) bytes: u64,
    pub(super) counts: Counts,
    /// Over all lines so far, the last one of an export left out.
    pub(super) hash: Sha256,
    /// Whether lines have sums. Exports of older versions have none.
    pub(super) sums: bool,
    stated: Option<(Counts, Option<String>)>,
    /// What was done with the lines before a bad one.
    so_far: &'static str,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(input: R, name: String, so_far: &'static str) -> Self {
        Self {
            input: BufReader::new(input),
            name,
            line: Vec::new(),
            number: 0,
            bytes: 0,
            counts: Counts::new(),
            hash: Sha256::new(),
            sums: false,
            stated: None,
            so_far,
        }
    }

    fn wrong(&self, text: impl std::fmt::Display) -> TransferError {
        TransferError::Line { line: self.number, text: format!("{text}. {}", self.so_far) }
    }

    /// Bytes of the line that was read last.
    pub(super) fn length(&self) -> usize {
        self.line.len()
    }

    /// The error of an export without its last line.
    pub(super) fn cut_off(&self) -> TransferError {
        self.wrong(
            "the export ends here, without its last line: it was cut off. Go on with `nexusd export --resume`, then import \
             all of it again",
        )
    }

    /// What comes next.
    ///
    /// # Errors
    /// [`TransferError::Line`] of what is not as it was written.
    pub(super) async fn next_or_cut(&mut self) -> Result<Next, TransferError> {
        loop {
            if read(&mut self.input, &mut self.line).await.map_err(TransferError::file(self.name.clone()))? == 0 {
                let Some((stated, sha256)) = self.stated.take() else { return Ok(Next::Cut) };
                return self.prove(&stated, sha256).map(|()| Next::End);
            }
            if self.stated.is_none() && self.is_cut() {
                return Ok(Next::Cut);
            }
            self.number += 1;
            if self.stated.is_some() {
                return Err(self.wrong("something comes behind the last line: two exports in one file?"));
            }
            let summed = proof::is_whole(&self.line);
            let line = match read_line(&self.line) {
                // What was changed may have become anything.
                _ if self.sums && !summed && !self.is_end() => {
                    return Err(self.wrong(
                        "this line was changed since it was exported: its checksum does not fit. Copy the file once more \
                         from where it was made, or export again",
                    ));
                }
                line => line.map_err(|text| self.wrong(text))?,
            };
            match line {
                Line::Head { sums } if self.number == 1 => self.sums = sums,
                _ if self.number == 1 => return Err(self.wrong("this is not the first line of an export of nexusd")),
                Line::Head { .. } => return Err(self.wrong("a second export begins here: import them one by one")),
                Line::Record(kind, record) => {
                    self.pass();
                    *self.counts.entry(kind).or_default() += 1;
                    return Ok(Next::Record(kind, record));
                }
                Line::End(counts, sha256) => {
                    self.stated = Some((counts, sha256));
                    continue;
                }
            }
            self.pass();
        }
    }

    fn pass(&mut self) {
        self.hash.update(&self.line);
        self.bytes += self.line.len() as u64;
    }

    /// A line without its end, but for the last one and for what never was an export.
    fn is_cut(&self) -> bool {
        let begun = self.number > 0 || self.line.starts_with(b"{");
        begun && !self.line.ends_with(b"\n") && !self.is_end()
    }

    fn is_end(&self) -> bool {
        matches!(read_line(&self.line), Ok(Line::End(..)))
    }

    fn prove(&self, stated: &Counts, sha256: Option<String>) -> Result<(), TransferError> {
        if *stated != self.counts {
            return Err(self.wrong("the file lacks lines, or has some twice: export again"));
        }
        let found = hex(&self.hash.clone().finalize());
        match sha256 {
            None if !self.sums => Ok(()),
            Some(sha256) if sha256 == found => Ok(()),
            _ => Err(self.wrong(
                "the SHA-256 over all lines does not fit: lines were changed, moved or lost since they were exported. Copy \
                 the file once more from where it was made, or export again",
            )),
        }
    }
}

pub(super) enum Next {
    Record(Kind, Record),
    /// All of it was as it was written.
    End,
    /// There is no last line.
    Cut,
}

/// Reads a line with its end, at most [`LONGEST`] bytes of it; answers how many there are.
async fn read<R: AsyncRead + Unpin>(lines: &mut BufReader<R>, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    let read = lines.take(LONGEST as u64).read_until(b'\n', line).await?;
    if read == LONGEST && !line.ends_with(b"\n") {
        return Err(io::Error::other(format!("a line has more than {LONGEST} bytes: this is no export of nexusd")));
    }
    Ok(read)
}
