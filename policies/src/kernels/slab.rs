//! Memory for numbers: aligned to cache lines, and in huge pages where it is large, because weights
//! that are read once per step are bound by how fast the processor finds their pages.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// A cache line, and the widest register there is.
const LINE: usize = 64;
/// A huge page where there are any.
const PAGE: usize = 2 << 20;

/// Bytes that never move, all zero at first.
pub struct Slab {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a slab owns its memory as a Vec does.
unsafe impl Send for Slab {}
// SAFETY: shared, it gives out slices to read and pointers, whose users answer for themselves.
unsafe impl Sync for Slab {}

impl Slab {
    /// So many f32.
    pub fn floats(count: usize) -> Self {
        Self::bytes(count.saturating_mul(size_of::<f32>()))
    }

    /// So many bytes.
    pub fn bytes(count: usize) -> Self {
        let size = count.max(1).next_multiple_of(LINE);
        let align = if size >= 2 * PAGE { PAGE } else { LINE };
        let Ok(layout) = Layout::from_size_align(size, align) else {
            handle_alloc_error(Layout::new::<u8>());
        };
        // SAFETY: the layout's size is not zero.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout);
        };
        #[cfg(target_os = "linux")]
        if align == PAGE {
            // SAFETY: the range is ours and begins at a page. It is only advice: without huge pages
            // everything is as right and a little slower, so the answer does not matter.
            unsafe { libc::madvise(start.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
        }
        // SAFETY: the range is ours, and any byte may be zero.
        unsafe { start.as_ptr().write_bytes(0, size) };
        Self { start, layout }
    }

    /// Its first number. What is read and written through it lies within the slab and is not
    /// written by another thread at the same time: the user answers for both.
    pub fn start<T>(&self) -> *mut T {
        self.start.as_ptr().cast()
    }

    /// How many bytes it holds.
    pub fn size(&self) -> usize {
        self.layout.size()
    }

    /// All of it, to be written as numbers.
    pub fn numbers<T: bytes::Plain>(&mut self) -> &mut [T] {
        // SAFETY: the memory is initialised, aligned for every Plain type, and borrowed as we are.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.size() / size_of::<T>()) }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// Numbers for which every pattern of bits is a value.
mod bytes {
    pub trait Plain: Copy {}
    impl Plain for f32 {}
    impl Plain for u16 {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_and_zero_whatever_its_size() {
        for count in [0, 1, 15, 1000, (5 << 20) / 4] {
            let mut slab = Slab::floats(count);
            assert_eq!(slab.start::<f32>() as usize % LINE, 0);
            assert!(slab.numbers::<f32>().len() >= count);
            assert!(slab.numbers::<f32>().iter().all(|number| *number == 0.0));
        }
    }
}
