//! How numbers are held while a network runs: a choice that the user makes, with its measured error.

/// What a network's weights are stored as, and what it computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Single precision throughout: within 1e-4 of the training framework.
    #[default]
    F32,
    /// Weights as half floats, sums in single precision: half the memory to read.
    F16,
    /// Weights as the upper half of single precision. Where the processor multiplies such numbers two by two
    /// or in blocks, what they are multiplied with is rounded in the same way; sums and all that lies between
    /// two products stay in single precision.
    Bf16,
    /// Weights as whole numbers of a byte with a scale for each output, inputs as whole numbers of two
    /// bytes with a scale for each row that is found at run time.
    Int8,
}
