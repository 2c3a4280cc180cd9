//! A zone's or mask's outline: a polygon in fractions of the picture, so that it fits every resolution.

use serde::{Deserialize, Serialize};

/// Corners a polygon has at least.
pub const MIN_POINTS: usize = 3;
/// Corners a polygon has at most.
pub const MAX_POINTS: usize = 32;
/// Less than this part of the picture is nothing that could be seen.
const MIN_AREA: f64 = 0.000_05;

/// Why points are no outline.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PolygonError {
    /// Too few or too many corners.
    #[error("{0} points")]
    Count(usize),
    /// A corner outside the picture, or not a number.
    #[error("point {place}, [{x}, {y}], which lies outside the picture")]
    Outside {
        /// Counted from 1.
        place: usize,
        /// To the right.
        x: f32,
        /// Downwards.
        y: f32,
    },
    /// Two sides meet elsewhere than at their common corner.
    #[error("an outline that crosses itself: the side from point {first} and the side from point {second}")]
    Crossing {
        /// Counted from 1.
        first: usize,
        /// Counted from 1.
        second: usize,
    },
    /// Corners on one line, or all in one place.
    #[error("an outline without area")]
    Flat,
}

/// A checked outline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<[f32; 2]>", into = "Vec<[f32; 2]>")]
pub struct Polygon(Vec<[f32; 2]>);

impl Polygon {
    /// Checks the corners: `[x, y]`, each from 0 (left, top) to 1 (right, bottom).
    ///
    /// # Errors
    /// [`PolygonError`].
    pub fn new(points: Vec<[f32; 2]>) -> Result<Self, PolygonError> {
        if !(MIN_POINTS..=MAX_POINTS).contains(&points.len()) {
            return Err(PolygonError::Count(points.len()));
        }
        for (place, &[x, y]) in points.iter().enumerate() {
            if !(0.0..=1.0).contains(&x) || !(0.0..=1.0).contains(&y) {
                return Err(PolygonError::Outside { place: place + 1, x, y });
            }
        }
        let corners: Vec<[f64; 2]> = points.iter().map(|&[x, y]| [x.into(), y.into()]).collect();
        let count = corners.len();
        let side = |i: usize| (corners[i], corners[(i + 1) % count]);
        for first in 0..count {
            for second in first + 1..count {
                let neighbours = second == first + 1 || (first == 0 && second == count - 1);
                let meet = if neighbours {
                    // They share a corner; they must not lie on each other.
                    let (a, b, c) = if second == first + 1 {
                        (side(first).0, side(first).1, side(second).1)
                    } else {
                        (side(second).0, side(second).1, side(first).1)
                    };
                    turn(a, b, c) == 0.0 && ahead(a, b, c) < 0.0
                } else {
                    crosses(side(first), side(second))
                };
                if meet {
                    return Err(PolygonError::Crossing { first: first + 1, second: second + 1 });
                }
            }
        }
        let twice: f64 = (0..count).map(side).map(|([ax, ay], [bx, by])| ax * by - bx * ay).sum();
        if twice.abs() / 2.0 < MIN_AREA {
            return Err(PolygonError::Flat);
        }
        Ok(Self(points))
    }

    /// The corners.
    pub fn points(&self) -> &[[f32; 2]] {
        &self.0
    }

    /// Whether the place lies within.
    pub fn holds(&self, x: f32, y: f32) -> bool {
        let mut within = false;
        for (i, &[ax, ay]) in self.0.iter().enumerate() {
            let [bx, by] = self.0[(i + 1) % self.0.len()];
            if (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax {
                within = !within;
            }
        }
        within
    }

    /// For each field of a grid, row by row, whether its middle lies within. An outline smaller than a field has the field of its
    /// first corner.
    pub fn fields(&self, wide: usize, high: usize) -> Vec<bool> {
        let middle = |i: usize, of: usize| (i as f32 + 0.5) / of as f32;
        let mut fields: Vec<bool> = (0..wide * high)
            .map(|i| self.holds(middle(i % wide.max(1), wide), middle(i / wide.max(1), high)))
            .collect();
        if !fields.contains(&true)
            && let Some(&[x, y]) = self.0.first()
        {
            let at = |part: f32, of: usize| ((part * of as f32) as usize).min(of.saturating_sub(1));
            if let Some(field) = fields.get_mut(at(y, high) * wide + at(x, wide)) {
                *field = true;
            }
        }
        fields
    }
}

impl TryFrom<Vec<[f32; 2]>> for Polygon {
    type Error = PolygonError;

    fn try_from(points: Vec<[f32; 2]>) -> Result<Self, PolygonError> {
        Self::new(points)
    }
}

impl From<Polygon> for Vec<[f32; 2]> {
    fn from(polygon: Polygon) -> Self {
        polygon.0
    }
}

/// Positive, negative or zero: on which side of the line from `a` to `b` is `c`?
fn turn(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// Whether the way from `b` to `c` goes on in the direction from `a` to `b`, or back.
fn ahead(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
}

fn crosses((a, b): ([f64; 2], [f64; 2]), (c, d): ([f64; 2], [f64; 2])) -> bool {
    let between = |a: [f64; 2], b: [f64; 2], p: [f64; 2]| {
        (a[0].min(b[0])..=a[0].max(b[0])).contains(&p[0]) && (a[1].min(b[1])..=a[1].max(b[1])).contains(&p[1])
    };
    let (c_side, d_side, a_side, b_side) = (turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b));
    if c_side * d_side < 0.0 && a_side * b_side < 0.0 {
        return true;
    }
    (c_side == 0.0 && between(a, b, c))
        || (d_side == 0.0 && between(a, b, d))
        || (a_side == 0.0 && between(c, d, a))
        || (b_side == 0.0 && between(c, d, b))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_holds_its_inside() {
        let triangle = Polygon::new(vec![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).unwrap();
        assert!(triangle.holds(0.2, 0.2) && !triangle.holds(0.8, 0.8));
        let held = triangle.fields(10, 10).into_iter().filter(|&held| held).count();
        assert!((40..=60).contains(&held), "{held}");
    }

    #[test]
    fn a_concave_outline_is_none_of_its_bay() {
        let bay = Polygon::new(vec![[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.5, 0.2], [0.1, 0.9]]).unwrap();
        assert!(bay.holds(0.15, 0.5) && bay.holds(0.85, 0.5) && !bay.holds(0.5, 0.6));
    }

    #[test]
    fn what_is_no_outline_is_refused_with_its_reason() {
        let bad = |points: &[[f32; 2]]| Polygon::new(points.to_vec()).unwrap_err();
        assert_eq!(bad(&[[0.0, 0.0], [1.0, 1.0]]), PolygonError::Count(2));
        assert_eq!(bad(&[[0.5, 0.5]; 33]), PolygonError::Count(33));
        assert_eq!(bad(&[[0.0, 0.0], [1.5, 0.0], [0.0, 1.0]]), PolygonError::Outside { place: 2, x: 1.5, y: 0.0 });
        assert!(matches!(bad(&[[0.0, f32::NAN], [1.0, 0.0], [0.0, 1.0]]), PolygonError::Outside { place: 1, .. }));
        let bow_tie = [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
        assert_eq!(bad(&bow_tie), PolygonError::Crossing { first: 1, second: 3 });
        assert!(matches!(bad(&[[0.0, 0.0], [1.0, 0.0], [0.5, 0.0], [0.5, 1.0]]), PolygonError::Crossing { .. }));
        assert_eq!(bad(&[[0.1, 0.1], [0.100_01, 0.1], [0.1, 0.100_01]]), PolygonError::Flat);
    }

    #[test]
    fn a_tiny_outline_has_one_field() {
        let tiny = Polygon::new(vec![[0.51, 0.51], [0.53, 0.51], [0.53, 0.53]]).unwrap();
        assert_eq!(tiny.fields(16, 16).into_iter().filter(|&held| held).count(), 1);
    }
}
