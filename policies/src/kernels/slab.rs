//! Memory for numbers: aligned to cache lines, and in huge pages where it is large, because weights
//! that are read once per step are bound by how fast the processor finds their pages.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;

use memmap2::Mmap;

/// A cache line, and the widest register there is.
pub const LINE: usize = 64;
/// A huge page where there are any.
#[cfg(target_os = "linux")]
const PAGE: usize = 2 << 20;

/// Bytes that never move, all zero at first.
pub struct Slab {
    start: NonNull<u8>,
    size: usize,
    from: From,
}

/// Who gave the memory, and what has to be given back.
enum From {
    Allocator(Layout),
    /// Straight from the system, in huge pages.
    #[cfg(target_os = "linux")]
    System(NonNull<u8>, usize),
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
        #[cfg(target_os = "linux")]
        if let Some(slab) = Self::huge(count) {
            return slab;
        }
        let size = count.max(1).checked_next_multiple_of(LINE).unwrap_or(usize::MAX);
        let Ok(layout) = Layout::from_size_align(size, LINE) else {
            handle_alloc_error(Layout::new::<u8>());
        };
        // SAFETY: the layout's size is not zero.
        let Some(start) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            handle_alloc_error(layout);
        };
        Self { start, size, from: From::Allocator(layout) }
    }

    /// Memory in huge pages, which the system has already made zero; none where it is little.
    #[cfg(target_os = "linux")]
    fn huge(size: usize) -> Option<Self> {
        let whole = size.checked_add(PAGE).filter(|_| size >= 2 * PAGE)?;
        // SAFETY: a new mapping of nobody's memory.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                whole,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        let memory = NonNull::new(memory.cast::<u8>()).filter(|_| memory != libc::MAP_FAILED)?;
        let start = memory.as_ptr().wrapping_add(memory.as_ptr().align_offset(PAGE));
        // SAFETY: the range is ours and begins at a page. It is only advice: without huge pages
        // everything is as right and a little slower, so the answer does not matter.
        unsafe { libc::madvise(start.cast(), size, libc::MADV_HUGEPAGE) };
        Some(Self { start: NonNull::new(start)?, size, from: From::System(memory, whole) })
    }

    /// Its first number. What is read and written through it lies within the slab and is not
    /// written by another thread at the same time: the user answers for both.
    pub fn start<T>(&self) -> *mut T {
        self.start.as_ptr().cast()
    }

    /// All of it, to be written as numbers.
    pub fn numbers<T: bytes::Plain>(&mut self) -> &mut [T] {
        // SAFETY: the memory is initialised, aligned for every Plain type, and borrowed as we are.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.size / size_of::<T>()) }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        match self.from {
            // SAFETY: it was allocated with this layout, once.
            From::Allocator(layout) => unsafe { dealloc(self.start.as_ptr(), layout) },
            #[cfg(target_os = "linux")]
            // SAFETY: it was mapped so, once. What could go wrong is a mapping that is not ours.
            From::System(memory, size) => unsafe {
                libc::munmap(memory.as_ptr().cast(), size);
            },
        }
    }
}

/// Weights that are only read: in memory of their own, or in a file that is mapped.
pub struct Held {
    start: *const u8,
    _from: Source,
}

/// What keeps the memory there.
enum Source {
    Made { _slab: Slab },
    Mapped { _map: Arc<Mmap> },
}

// SAFETY: nobody writes what is held, and it does not move.
unsafe impl Send for Held {}
// SAFETY: as above.
unsafe impl Sync for Held {}

impl Held {
    /// So many bytes of a file from a place on, which is one where a cache line begins.
    pub fn mapped(map: &Arc<Mmap>, at: usize, size: usize) -> Option<Self> {
        let start = map.get(at..at.checked_add(size)?)?.as_ptr();
        let aligned = start.addr().is_multiple_of(LINE);
        aligned.then(|| Self { start, _from: Source::Mapped { _map: map.clone() } })
    }

    /// Its first number, only to be read.
    pub fn start<T>(&self) -> *const T {
        self.start.cast()
    }
}

impl std::convert::From<Slab> for Held {
    fn from(slab: Slab) -> Self {
        Self { start: slab.start::<u8>(), _from: Source::Made { _slab: slab } }
    }
}

/// Numbers for which every pattern of bits is a value.
pub mod bytes {
    /// Such numbers.
    pub trait Plain: Copy {}
    impl Plain for f32 {}
    impl Plain for u8 {}
    impl Plain for u16 {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_and_zero_whatever_its_size() {
        for count in [0, 1, 15, 1000, 5 << 20] {
            let mut slab = Slab::floats(count);
            assert_eq!(slab.start::<f32>() as usize % LINE, 0);
            assert!(slab.numbers::<f32>().len() >= count);
            assert!(slab.numbers::<f32>().iter().all(|number| *number == 0.0));
        }
    }
}
