//! What is kept of a streamed answer: one account for everybody who keeps some.
//!
//! Readers, writers and custody keep what they cannot pass on yet: arguments of a
//! call, thoughts, which block is whose. Each counts what it keeps, and the tap
//! fails a stream whose parts together keep too much. A provider that never comes
//! to an end then costs its client an error, not the gateway its memory.

/// How much somebody keeps of a stream: bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held(usize);

impl Held {
    /// What an entry of a list costs beside its text, roughly.
    const ENTRY: usize = 128;

    /// Text was kept.
    pub(crate) fn more(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(bytes);
    }

    /// Text was passed on.
    pub(crate) fn less(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }

    /// An entry was made, with so much text.
    pub(crate) fn entry(&mut self, bytes: usize) {
        self.more(bytes.saturating_add(Self::ENTRY));
    }

    /// An entry was removed, with so much text.
    pub(crate) fn gone(&mut self, bytes: usize) {
        self.less(bytes.saturating_add(Self::ENTRY));
    }

    /// All of it.
    pub(crate) fn bytes(self) -> usize {
        self.0
    }
}
