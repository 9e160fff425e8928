//! The stack that walks over terms keep by themselves, so that no nesting fills the thread's.

/// A stack; its top is apart, so that flat terms need no allocation.
pub(crate) struct Stack<T> {
    top: Option<T>,
    below: Vec<T>,
}

impl<T> Stack<T> {
    pub(crate) const fn new() -> Self {
        Self { top: None, below: Vec::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        if let Some(below) = self.top.replace(item) {
            self.below.push(below);
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.top.take().or_else(|| self.below.pop())
    }
}
