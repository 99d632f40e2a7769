//! What a camera is: where it stands, and which way through its pinhole each pixel looks.

use nalgebra::{Isometry3, Matrix3, Point3, Rotation3, Translation3, UnitQuaternion, Vector3};

/// Nothing nearer to a camera than this is seen, in metres.
pub const NEAR: f64 = 0.005;

/// A pinhole camera, as OpenCV describes one: x to the right, y down, z ahead.
///
/// The middle of the pixel in column `i` and row `j` lies at `u = i`, `v = j`, so a point at
/// `(x, y, z)` before the camera is seen at `u = fx * x / z + cx`, `v = fy * y / z + cy`, and the
/// middle of the picture is `cx = (width - 1) / 2`. Figures from a calibration go in as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// How many pixels to the right one metre to the right at one metre's distance is.
    pub fx: f64,
    /// The same downwards.
    pub fy: f64,
    /// The column straight ahead.
    pub cx: f64,
    /// The row straight ahead.
    pub cy: f64,
    /// Where it is in the world, and which way it looks: a camera on an arm is given anew for each
    /// picture, as the link's place times its own upon it.
    pub place: Isometry3<f64>,
}

impl Camera {
    /// A camera with square pixels at the world's origin that sees so far from top to bottom, in
    /// radians, with the middle of its picture straight ahead.
    pub fn with_view(width: u32, height: u32, vertical: f64) -> Self {
        let focal = f64::from(height) / 2.0 / (vertical / 2.0).tan();
        Self {
            width,
            height,
            fx: focal,
            fy: focal,
            cx: (f64::from(width) - 1.0) / 2.0,
            cy: (f64::from(height) - 1.0) / 2.0,
            place: Isometry3::identity(),
        }
    }

    /// The same camera at `eye`, with `target` in the middle and z upwards in its picture.
    #[must_use]
    pub fn look_at(self, eye: Point3<f64>, target: Point3<f64>) -> Self {
        Self { place: looking(eye, target), ..self }
    }

    /// Where in the picture a point of the world is seen, `[u, v]` in pixels, and how far ahead of
    /// the camera it lies; nothing for one behind it. It may lie outside the picture.
    pub fn project(&self, point: Point3<f64>) -> Option<([f64; 2], f64)> {
        let at = self.place.inverse_transform_point(&point);
        let seen = [self.fx * at.x / at.z + self.cx, self.fy * at.y / at.z + self.cy];
        (at.z >= NEAR).then_some((seen, at.z))
    }

    /// The point of the world at so many metres ahead that is seen there.
    pub fn unproject(&self, [u, v]: [f64; 2], depth: f64) -> Point3<f64> {
        let ray = Point3::new((u - self.cx) / self.fx, (v - self.cy) / self.fy, 1.0);
        self.place * Point3::from(ray.coords * depth)
    }

    /// `row` times the ray through a pixel, as a form of its column and row.
    pub(super) fn form(&self, row: Vector3<f64>) -> Form {
        let (x, y) = (row.x / self.fx, row.y / self.fy);
        Form::new(x, y, row.z - x * self.cx - y * self.cy)
    }
}

/// A place at `eye` whose z points to `target` and whose y points down as far as it can.
pub fn looking(eye: Point3<f64>, target: Point3<f64>) -> Isometry3<f64> {
    let ahead = (target - eye).try_normalize(1e-9).unwrap_or_else(Vector3::x);
    // Straight up or down, the top of the picture is what is ahead of the arm.
    let right = ahead.cross(&Vector3::z()).try_normalize(1e-6).unwrap_or_else(|| -Vector3::y());
    let axes = Matrix3::from_columns(&[right, ahead.cross(&right), ahead]);
    let turn = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes));
    Isometry3::from_parts(Translation3::from(eye), turn)
}

/// What grows evenly over a picture: `x` per column, `y` per row, and `at` for the pixel 0, 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Form {
    pub x: f32,
    pub y: f32,
    pub at: f32,
}

impl Form {
    pub fn new(x: f64, y: f64, at: f64) -> Self {
        Self { x: x as f32, y: y as f32, at: at as f32 }
    }

    /// Its value in a row at column 0.
    pub fn row(&self, y: f32) -> f32 {
        self.y * y + self.at
    }

    pub fn value(&self, x: f32, y: f32) -> f32 {
        self.x * x + self.row(y)
    }
}
