//! Splits a `text/event-stream` into the data of its frames.

/// A line or a frame may not be longer; what an agent has to say in one piece fits well.
const MAX_FRAME_BYTES: usize = 2 * 1024 * 1024;

/// Takes the stream in any pieces. Holds at most one frame.
#[derive(Default)]
pub(crate) struct SseDecoder {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The last byte was a carriage return: a newline right after it belongs to it.
    after_cr: bool,
}

/// A line or frame was longer than the limit.
#[derive(Debug)]
pub(crate) struct FrameTooLong;

impl FrameTooLong {
    pub(crate) const LIMIT: usize = MAX_FRAME_BYTES;
}

impl SseDecoder {
    /// The data of all frames that `bytes` completes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, FrameTooLong> {
        let mut frames = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            let (head, tail) = rest.split_at(end);
            self.extend_line(head)?;
            let newline = tail.first() == Some(&b'\n');
            rest = tail.get(1..).unwrap_or_default();
            let second_half = newline && head.is_empty() && self.after_cr;
            self.after_cr = !newline;
            if !second_half {
                frames.extend(self.end_line()?);
            }
        }
        if !rest.is_empty() {
            self.after_cr = false;
            self.extend_line(rest)?;
        }
        Ok(frames)
    }

    /// The last frame, when the stream ends without the empty line that should close it.
    pub(crate) fn finish(mut self) -> Result<Option<Vec<u8>>, FrameTooLong> {
        let last = if self.line.is_empty() { None } else { self.end_line()? };
        Ok(last.or_else(|| self.take_frame()))
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), FrameTooLong> {
        if self.line.len() + bytes.len() > MAX_FRAME_BYTES {
            return Err(FrameTooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Vec<u8>>, FrameTooLong> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return Ok(self.take_frame());
        }
        // Other fields (event, id, retry) and comments carry nothing for us.
        let value = line.strip_prefix(b"data:").or_else(|| (line == b"data").then_some(&[]));
        if let Some(value) = value {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            if self.data.len() + value.len() >= MAX_FRAME_BYTES {
                return Err(FrameTooLong);
            }
            if self.has_data {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
            self.has_data = true;
        }
        Ok(None)
    }

    fn take_frame(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.has_data).then(|| std::mem::take(&mut self.data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<String> {
        let mut decoder = SseDecoder::default();
        let mut frames: Vec<Vec<u8>> = pieces.iter().flat_map(|piece| decoder.push(piece).unwrap()).collect();
        frames.extend(decoder.finish().unwrap());
        frames.into_iter().map(|frame| String::from_utf8(frame).unwrap()).collect()
    }

    #[test]
    fn any_cut_gives_the_same_frames() {
        let stream = b": hello\r\ndata: one\r\n\r\nevent: x\ndata:two\ndata: lines\n\nid: 7\n\ndata\n\ndata: \xc3\xa4";
        let whole = decode(&[stream]);
        assert_eq!(whole, ["one", "two\nlines", "", "ä"]);
        for cut in 0..stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(decode(&[head, tail]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode(&bytes), whole);
    }

    #[test]
    fn carriage_returns_alone_end_lines() {
        assert_eq!(decode(&[b"data: a\r\rdata: b\r\r"]), ["a", "b"]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut decoder = SseDecoder::default();
        let piece = vec![b'x'; 256 * 1024];
        assert!((0..9).any(|_| decoder.push(&piece).is_err()));
        let mut decoder = SseDecoder::default();
        let line = [b"data: ".as_slice(), &vec![b'x'; 1000], b"\n"].concat();
        assert!((0..3000).any(|_| decoder.push(&line).is_err()));
    }
}
