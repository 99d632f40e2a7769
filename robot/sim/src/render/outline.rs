//! From the corners of a flat face to spans of samples.

use std::ops::Range;

use nalgebra::{Point3, Vector4};

/// Cuts a convex outline off where it leaves the half-space `plane · (point, 1) >= 0`.
///
/// A point of a cut is always reckoned from the inner end of its edge, so that two faces with an
/// edge in common are cut in the very same point.
pub fn clip(outline: &mut Vec<Point3<f64>>, plane: Vector4<f64>, spare: &mut Vec<Point3<f64>>) {
    let side = |point: &Point3<f64>| plane.xyz().dot(&point.coords) + plane.w;
    if outline.iter().all(|point| side(point) >= 0.0) {
        return;
    }
    spare.clear();
    let next = outline.iter().cycle().skip(1);
    for (a, b) in outline.iter().zip(next) {
        let (from, to) = (side(a), side(b));
        if from >= 0.0 {
            spare.push(*a);
        }
        if (from >= 0.0) != (to >= 0.0) {
            let (inner, outer, near, far) =
                if from >= 0.0 { (a, b, from, to) } else { (b, a, to, from) };
            spare.push(inner + (outer - inner) * (near / (near - far)));
        }
    }
    std::mem::swap(outline, spare);
}

/// The samples that a convex outline covers, row by row.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    left: Vec<f32>,
    right: Vec<f32>,
}

impl Spans {
    /// Calls `span` with each of these rows that the outline touches, and the columns whose samples lie in it.
    ///
    /// The outline's corners are `[u, v]`, in pixels; it turns clockwise where v grows upwards, that is
    /// counter-clockwise to the eye. A sample lies `offset` from the middle of its pixel; one on an edge
    /// belongs to the face at the right of it or below.
    pub fn fill(
        &mut self,
        outline: &[[f32; 2]],
        offset: [f32; 2],
        (width, rows): (usize, Range<usize>),
        mut span: impl FnMut(usize, Range<usize>),
    ) {
        let first = |v: f32| {
            ((v - offset[1]).ceil().max(0.0) as usize).clamp(rows.start, rows.end.max(rows.start))
        };
        let lows = outline.iter().map(|corner| corner[1]).fold(f32::INFINITY, f32::min);
        let highs = outline.iter().map(|corner| corner[1]).fold(f32::NEG_INFINITY, f32::max);
        let (top, bottom) = (first(lows), first(highs));
        if top >= bottom {
            return;
        }
        self.left.clear();
        self.left.resize(bottom - top, f32::INFINITY);
        self.right.clear();
        self.right.resize(bottom - top, f32::NEG_INFINITY);
        let next = outline.iter().cycle().skip(1);
        for (a, b) in outline.iter().zip(next) {
            // Seen from outside, a face's edges run down on its left and up on its right.
            let (ends, above, below) =
                if a[1] < b[1] { (&mut self.left, a, b) } else { (&mut self.right, b, a) };
            let slope = (below[0] - above[0]) / (below[1] - above[1]);
            // What is no number is nowhere in particular.
            let row = |v: f32| first(v).clamp(top, bottom);
            let (from, to) = (row(above[1]), row(below[1]));
            let Some(ends) = ends.get_mut(from - top..to.max(from) - top) else { continue };
            for (row, end) in ends.iter_mut().enumerate() {
                let v = (from + row) as f32 + offset[1];
                *end = above[0] + (v - above[1]) * slope;
            }
        }
        for (row, (left, right)) in self.left.iter().zip(&self.right).enumerate() {
            let column = |end: f32| ((end - offset[0]).ceil().max(0.0) as usize).min(width);
            let (left, right) = (column(*left), column(*right));
            if left < right {
                span(top + row, left..right);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(outline: &[[f32; 2]]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        Spans::default().fill(outline, [0.0, 0.0], (8, 0..6), |row, span| {
            all.extend(span.map(|column| (row, column)));
        });
        all
    }

    #[test]
    fn neighbours_share_no_sample_and_leave_none_out() {
        // Four triangles about a point of their own, over more than the whole picture.
        let middle = [3.3, 2.0];
        let ring = [[-2.0, -3.0], [-2.0, 9.0], [12.0, 9.0], [12.0, -3.0]];
        let mut all: Vec<_> =
            (0..4).flat_map(|n| cells(&[ring[n], ring[(n + 1) % 4], middle])).collect();
        all.sort_unstable();
        let wanted: Vec<_> =
            (0..6).flat_map(|row| (0..8).map(move |column| (row, column))).collect();
        assert_eq!(all, wanted);
    }

    #[test]
    fn an_outline_that_is_turned_away_or_is_no_number_covers_nothing() {
        assert_eq!(cells(&[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]]), []);
        assert_eq!(cells(&[[f32::NAN, 0.0], [f32::NAN, 4.0], [4.0, f32::NAN]]), []);
        assert_eq!(cells(&[]), []);
    }

    #[test]
    fn what_is_cut_off_is_cut_at_the_plane() {
        let mut outline = vec![
            Point3::new(0.0, 0.0, -1.0),
            Point3::new(0.0, 0.0, 3.0),
            Point3::new(4.0, 0.0, 3.0),
        ];
        clip(&mut outline, Vector4::new(0.0, 0.0, 1.0, -1.0), &mut Vec::new());
        let wanted = [[0.0, 0.0, 1.0], [0.0, 0.0, 3.0], [4.0, 0.0, 3.0], [2.0, 0.0, 1.0]];
        assert_eq!(outline, wanted.map(Point3::from));
        clip(&mut outline, Vector4::new(0.0, 0.0, -1.0, 0.5), &mut Vec::new());
        assert!(outline.is_empty());
    }
}
