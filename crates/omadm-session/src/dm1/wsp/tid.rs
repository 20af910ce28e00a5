//! Numbers of transactions (`WAP-224 §8.8`): 15 bits, which wrap around.

/// What is left of a TID without the bit that says who sends.
const MASK: u16 = 0x7fff;
/// Numbers ahead of the last one that are taken without a question: half of all.
const WINDOW: u16 = 1 << 14;

/// The numbers that an initiator gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TidCounter {
    next: u16,
    wrapped: bool,
}

impl TidCounter {
    /// Begins with a number of the host's choice; its highest bit is left out.
    #[must_use]
    pub fn new(first: u16) -> Self {
        Self { next: first & MASK, wrapped: false }
    }

    /// The next number, and whether it is smaller than the one before (`TIDnew`).
    pub fn take(&mut self) -> (u16, bool) {
        let taken = (self.next, self.wrapped);
        self.wrapped = self.next == MASK;
        self.next = self.next.wrapping_add(1) & MASK;
        taken
    }
}

/// The numbers that a responder has seen of one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TidWindow {
    last: Option<u16>,
}

impl TidWindow {
    /// Whether the peer has to be asked if a transaction is really under way: it may be a duplicate of one that is over.
    #[must_use]
    pub fn is_doubtful(self, tid: u16, tid_new: bool) -> bool {
        let ahead = |last: u16| (1..=WINDOW).contains(&(tid.wrapping_sub(last) & MASK));
        tid_new || !self.last.is_some_and(ahead)
    }

    /// Remembers a number that was taken.
    pub fn remember(&mut self, tid: u16) {
        self.last = Some(tid & MASK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_around_and_say_so() {
        let mut counter = TidCounter::new(0xfffe);
        assert_eq!(counter.take(), (0x7ffe, false));
        assert_eq!(counter.take(), (0x7fff, false));
        assert_eq!(counter.take(), (0, true));
        assert_eq!(counter.take(), (1, false));
    }

    #[test]
    fn what_is_not_ahead_is_asked_for() {
        let mut window = TidWindow::default();
        assert!(window.is_doubtful(5, false), "nothing is known");
        window.remember(5);
        assert!(window.is_doubtful(5, false), "a duplicate");
        assert!(window.is_doubtful(4, false), "an old one");
        assert!(!window.is_doubtful(6, false));
        assert!(window.is_doubtful(6, true));
        assert!(!window.is_doubtful(5 + WINDOW, false));
        assert!(window.is_doubtful(6 + WINDOW, false));
        window.remember(0x7fff);
        assert!(!window.is_doubtful(3, false), "around the end");
    }
}
