//! Convolutions of 3×3 at stride 1 with 36 products where there would be 144: Winograd's
//! F(4×4, 3×3). An image is cut into tiles of 4×4 outputs, each made from a patch of 6×6 inputs.
//! Patches and weights are transformed so that the convolution becomes 36 products of
//! `[tiles][in] × [in][out]`, whose results are transformed back.
//!
//! The rounding of the transforms costs about two decimal digits: f32 leaves enough, f16 would not.

use std::ops::Range;
use std::sync::Arc;

use super::rows::Rows;
use super::sheet::Sheet;
use super::slab::{Held, Slab};
use super::tile::{LANES, ROWS, Stored, Tile};
use super::{Kernels, Tail};

/// Outputs of a tile along a side.
pub const TILE: usize = 4;
/// Inputs of a patch along a side.
const PATCH: usize = 6;
/// Products.
pub const PRODUCTS: usize = PATCH * PATCH;
/// Tiles that are worked on at a time: fewer would read the weights more often, more would push their
/// own patches out of the cache.
const NEAR: usize = 64;
/// The transform of the weights, along one side.
const WEIGHTS: [[f64; 3]; PATCH] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// Where one output of a tile goes.
#[derive(Clone, Copy)]
pub struct Place {
    /// Its channels; null where the tile reaches over the edge.
    into: *mut f32,
    /// What is added to them, or null.
    residual: *const f32,
}

/// What is done to all outputs of a tile.
pub struct Finish {
    /// An offset for every channel.
    bias: *const f32,
    channels: usize,
    relu: bool,
}

/// Whether such a convolution can be done in this way: it has to fill the kernels' lanes.
pub fn fits(into: usize, out: usize) -> bool {
    into >= 32 && into.is_multiple_of(LANES) && out.is_multiple_of(LANES)
}

/// A convolution in this form that is ready to run.
pub struct Winograd {
    /// The kernels for this processor.
    pub kernels: &'static Kernels,
    /// Transformed and packed.
    pub weights: Transformed,
    /// Images, a row for every place.
    pub from: Rows,
    /// Height and width of each.
    pub grid: [usize; 2],
    /// Rows and columns of nothing around them.
    pub padding: usize,
    /// A row of as many zeros as there are channels.
    pub zeros: Rows,
    /// Where the results go.
    pub into: Rows,
    /// Height and width there.
    pub out: [usize; 2],
    /// What is added to them first.
    pub residual: Option<Rows>,
    /// Whether what is then below zero becomes zero.
    pub relu: bool,
    /// What is done afterwards.
    pub tails: Vec<Tail>,
}

/// Weights `[PRODUCTS][blocks][in][LANES]` and an offset for every output.
pub struct Transformed {
    weights: Arc<Held>,
    bias: Slab,
    inputs: usize,
    outputs: usize,
}

/// How many bytes transformed weights are.
pub fn bytes(outputs: usize, inputs: usize) -> usize {
    PRODUCTS * outputs * inputs * size_of::<f32>()
}

/// Transforms `at(output, input)`, nine taps each, line by line.
pub fn transform(outputs: usize, inputs: usize, at: impl Fn(usize, usize) -> [f32; 9]) -> Slab {
    let mut weights = Slab::bytes(bytes(outputs, inputs));
    let into = weights.numbers::<f32>();
    for block in 0..outputs / LANES {
        for input in 0..inputs {
            let taps: [[f32; 9]; LANES] =
                std::array::from_fn(|lane| at(block * LANES + lane, input));
            let place = (block * inputs + input) * LANES;
            for (product, lanes) in transformed(&taps).iter().enumerate() {
                into[product * outputs * inputs + place..][..LANES].copy_from_slice(lanes);
            }
        }
    }
    weights
}

impl Transformed {
    /// Weights that were transformed for so many outputs and inputs.
    pub fn new(weights: Arc<Held>, outputs: usize, inputs: usize, bias: &[f32]) -> Self {
        let mut offsets = Slab::floats(outputs);
        for (offset, bias) in offsets.numbers::<f32>().iter_mut().zip(bias) {
            *offset = *bias;
        }
        Self { weights, bias: offsets, inputs, outputs }
    }
}

impl Winograd {
    /// How many tiles there are in all images.
    pub fn tiles(&self) -> usize {
        let [down, across] = self.tiled();
        self.into.count / (self.out[0] * self.out[1]) * down * across
    }

    /// How many tiles are worked on at a time so that the transformed patches stay near.
    pub fn together(&self) -> usize {
        let turns = self.tiles().div_ceil(NEAR);
        self.tiles().div_ceil(turns)
    }

    /// How many numbers of scratch so many tiles need.
    pub fn scratch(&self, tiles: usize) -> usize {
        PRODUCTS * (step(tiles, self.weights.inputs) + step(tiles, self.weights.outputs))
    }

    fn tiled(&self) -> [usize; 2] {
        self.out.map(|side| side.div_ceil(TILE))
    }

    /// The image, and the first place of a tile.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let [down, across] = self.tiled();
        let (image, tile) = (tile / (down * across), tile % (down * across));
        (image, tile / across * TILE, tile % across * TILE)
    }

    /// Transforms the patches of some of the tiles from `first` on, of which `together` have room.
    ///
    /// # Safety
    /// The memory of all rows is there and nobody writes what is read here; there is room for the
    /// scratch, and no other thread touches these tiles' part of it.
    pub unsafe fn patches(
        &self,
        first: usize,
        tiles: Range<usize>,
        together: usize,
        scratch: *mut f32,
    ) {
        let [height, width] = self.grid;
        let channels = self.weights.inputs;
        for tile in tiles {
            let (image, y, x) = self.place(first + tile);
            let patch = std::array::from_fn(|place| {
                let y = (y + place / PATCH).wrapping_sub(self.padding);
                let x = (x + place % PATCH).wrapping_sub(self.padding);
                match y < height && x < width {
                    true => self.from.at((image * height + y) * width + x).cast_const(),
                    false => self.zeros.at(0).cast_const(),
                }
            });
            // SAFETY: as the caller promises.
            unsafe {
                let into = scratch.add(tile * channels);
                (self.kernels.winograd_in)(&patch, channels, into, step(together, channels));
            }
        }
    }

    /// Does some of the products for so many tiles.
    ///
    /// # Safety
    /// The patches are transformed, there is room for scratch and a pointer for every tile,
    /// and no other thread touches these products' part of the scratch.
    pub unsafe fn products(
        &self,
        products: Range<usize>,
        [tiles, together]: [usize; 2],
        scratch: *mut f32,
        pointers: *mut *const f32,
    ) {
        let Transformed { inputs, outputs, .. } = self.weights;
        for product in products {
            // SAFETY: as the caller promises.
            unsafe {
                let from = scratch.add(product * step(together, inputs));
                let results = scratch.add(PRODUCTS * step(together, inputs));
                let into = results.add(product * step(together, outputs));
                let weights = self.weights.weights.start::<f32>().add(product * inputs * outputs);
                for tile in 0..tiles {
                    *pointers.add(tile) = from.add(tile * inputs);
                }
                self.kernels.sheet(&Sheet {
                    first: Tile {
                        rows: pointers,
                        segments: 1,
                        length: inputs,
                        weights: weights.cast(),
                        into,
                        stride: outputs,
                        ..Tile::EMPTY
                    },
                    stored: Stored::F32,
                    rows: tiles,
                    group: ROWS,
                    outputs,
                    panel: inputs * LANES * size_of::<f32>(),
                    after: weights.wrapping_add(outputs * inputs).cast(),
                });
            }
        }
    }

    /// Transforms the results of some tiles back and writes them out.
    ///
    /// # Safety
    /// The products are done, the memory of all rows is there, and no other thread writes what is
    /// read here or touches these tiles' outputs.
    pub unsafe fn results(
        &self,
        first: usize,
        tiles: Range<usize>,
        together: usize,
        scratch: *mut f32,
    ) {
        let [height, width] = self.out;
        let Transformed { inputs, outputs, .. } = self.weights;
        let finish =
            Finish { bias: self.weights.bias.start::<f32>(), channels: outputs, relu: self.relu };
        for tile in tiles {
            let (image, y, x) = self.place(first + tile);
            let rows: [Option<usize>; TILE * TILE] = std::array::from_fn(|place| {
                let (y, x) = (y + place / TILE, x + place % TILE);
                (y < height && x < width).then_some((image * height + y) * width + x)
            });
            let places = rows.map(|row| Place {
                into: row.map_or(std::ptr::null_mut(), |row| self.into.at(row)),
                residual: row
                    .and_then(|row| Some(self.residual?.at(row).cast_const()))
                    .unwrap_or(std::ptr::null()),
            });
            // SAFETY: as the caller promises.
            unsafe {
                let from = scratch.add(PRODUCTS * step(together, inputs) + tile * outputs);
                (self.kernels.winograd_out)(from, step(together, outputs), &places, &finish);
                for row in rows.into_iter().flatten().filter(|_| !self.tails.is_empty()) {
                    self.kernels.finish(&self.tails, &self.into, row..row + 1, 0..outputs);
                }
            }
        }
    }
}

/// From one product's numbers to the next one's. A line more than they need: at a multiple of 4096
/// bytes, all products of a patch would fight for the same few lines of the first cache.
fn step(tiles: usize, channels: usize) -> usize {
    tiles * channels + LANES
}

/// The weights of all products from nine taps, for sixteen outputs.
fn transformed(taps: &[[f32; 9]; LANES]) -> [[f32; LANES]; PRODUCTS] {
    let mut products = [[0f32; LANES]; PRODUCTS];
    for (y, down) in WEIGHTS.iter().enumerate() {
        let line: [[f64; LANES]; 3] = std::array::from_fn(|x| {
            std::array::from_fn(|lane| {
                (0..3).map(|tap| down[tap] * f64::from(taps[lane][tap * 3 + x])).sum()
            })
        });
        for (x, across) in WEIGHTS.iter().enumerate() {
            for (lane, product) in products[y * PATCH + x].iter_mut().enumerate() {
                *product = (0..3).map(|tap| line[tap][lane] * across[tap]).sum::<f64>() as f32;
            }
        }
    }
    products
}

/// Channels that are transformed side by side.
type Lane<const SIDE: usize> = [f32; SIDE];

#[inline(always)]
fn each<const SIDE: usize>(f: impl Fn(usize) -> f32) -> Lane<SIDE> {
    std::array::from_fn(f)
}

/// The transform of the inputs, along one side.
#[inline(always)]
fn forth<const SIDE: usize>(d: [Lane<SIDE>; PATCH]) -> [Lane<SIDE>; PATCH] {
    let a = each::<SIDE>(|l| d[4][l] - 4.0 * d[2][l]);
    let b = each::<SIDE>(|l| d[3][l] - 4.0 * d[1][l]);
    let c = each::<SIDE>(|l| d[4][l] - d[2][l]);
    let e = each::<SIDE>(|l| 2.0 * (d[3][l] - d[1][l]));
    [
        each::<SIDE>(|l| 4.0 * d[0][l] - 5.0 * d[2][l] + d[4][l]),
        each::<SIDE>(|l| a[l] + b[l]),
        each::<SIDE>(|l| a[l] - b[l]),
        each::<SIDE>(|l| c[l] + e[l]),
        each::<SIDE>(|l| c[l] - e[l]),
        each::<SIDE>(|l| 4.0 * d[1][l] - 5.0 * d[3][l] + d[5][l]),
    ]
}

/// The transform of the results, along one side.
#[inline(always)]
fn back<const SIDE: usize>(m: [Lane<SIDE>; PATCH]) -> [Lane<SIDE>; TILE] {
    let (s, d) = (each::<SIDE>(|l| m[1][l] + m[2][l]), each::<SIDE>(|l| m[1][l] - m[2][l]));
    let (t, u) = (each::<SIDE>(|l| m[3][l] + m[4][l]), each::<SIDE>(|l| m[3][l] - m[4][l]));
    [
        each::<SIDE>(|l| m[0][l] + s[l] + t[l]),
        each::<SIDE>(|l| d[l] + 2.0 * u[l]),
        each::<SIDE>(|l| s[l] + 4.0 * t[l]),
        each::<SIDE>(|l| d[l] + 8.0 * u[l] + m[5][l]),
    ]
}

/// Transforms one patch: `channels` numbers at each of its places, into 36 products `step` apart.
///
/// # Safety
/// So many numbers are there, a multiple of sixteen, and there is room for them.
#[inline(always)]
pub unsafe fn patch_in<const SIDE: usize>(
    patch: &[*const f32; 36],
    channels: usize,
    into: *mut f32,
    step: usize,
) {
    for channel in (0..channels).step_by(SIDE) {
        let mut turned = [[[0f32; SIDE]; PATCH]; PATCH];
        // SAFETY: as the caller promises.
        unsafe {
            for x in 0..PATCH {
                let column = forth(std::array::from_fn(|y| {
                    patch[y * PATCH + x].add(channel).cast::<Lane<SIDE>>().read_unaligned()
                }));
                for (line, lane) in turned.iter_mut().zip(column) {
                    line[x] = lane;
                }
            }
            for (y, line) in turned.into_iter().enumerate() {
                for (x, lane) in forth(line).into_iter().enumerate() {
                    let into = into.add((y * PATCH + x) * step + channel);
                    into.cast::<Lane<SIDE>>().write_unaligned(lane);
                }
            }
        }
    }
}

/// Transforms the results of one tile back, from 36 products `step` apart, and finishes them.
///
/// # Safety
/// So many numbers as there are channels, a multiple of sixteen, are wherever something points.
#[inline(always)]
pub unsafe fn patch_out<const SIDE: usize>(
    from: *const f32,
    step: usize,
    places: &[Place; 16],
    finish: &Finish,
) {
    for channel in (0..finish.channels).step_by(SIDE) {
        let mut turned = [[[0f32; SIDE]; PATCH]; TILE];
        // SAFETY: as the caller promises.
        unsafe {
            let load = |from: *const f32| from.add(channel).cast::<Lane<SIDE>>().read_unaligned();
            for x in 0..PATCH {
                let column = back(std::array::from_fn(|y| load(from.add((y * PATCH + x) * step))));
                for (line, lane) in turned.iter_mut().zip(column) {
                    line[x] = lane;
                }
            }
            let bias = load(finish.bias);
            for (line, places) in turned.into_iter().zip(places.as_chunks::<TILE>().0) {
                for (lane, place) in back(line).into_iter().zip(places) {
                    if place.into.is_null() {
                        continue;
                    }
                    let mut lane = each::<SIDE>(|l| lane[l] + bias[l]);
                    if !place.residual.is_null() {
                        let residual = load(place.residual);
                        lane = each::<SIDE>(|l| lane[l] + residual[l]);
                    }
                    if finish.relu {
                        lane = each::<SIDE>(|l| if lane[l] < 0.0 { 0.0 } else { lane[l] });
                    }
                    place.into.add(channel).cast::<Lane<SIDE>>().write_unaligned(lane);
                }
            }
        }
    }
}
