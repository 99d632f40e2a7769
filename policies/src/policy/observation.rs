//! What a policy is shown.

/// One moment: what is seen, by name. A plain slice, so that showing it allocates nothing.
pub type Observation<'a> = [(&'a str, Seen<'a>)];

/// One thing that is seen.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// The joints' positions, say, in the order of the training's names.
    Numbers(&'a [f32]),
    /// What a camera sees.
    Image(Image<'a>),
}

/// An image as cameras give it: rows from above, three bytes a pixel, red, green, blue.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Pixels in a row.
    pub width: usize,
    /// How many rows.
    pub height: usize,
    /// The bytes.
    pub rgb: &'a [u8],
}
