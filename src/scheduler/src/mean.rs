//! Averages that forget: of one quantity, and of a line through pairs of quantities.

/// About how many of the last calls an average holds.
pub const MEMORY_CALLS: u32 = 16;

/// The most that one observation may exceed what was expected, as a factor; the rest is cut off.
pub const OUTLIER: f64 = 2.0;

/// The weight after one more observation; it approaches [`MEMORY_CALLS`].
fn heavier(weight: f64) -> f64 {
    weight * (1.0 - 1.0 / f64::from(MEMORY_CALLS)) + 1.0
}

/// An exponentially weighted mean whose first observations count fully.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Mean {
    weight: f64,
    value: f64,
}

impl Mean {
    pub(crate) fn observe(&mut self, sample: f64) {
        self.weight = heavier(self.weight);
        self.value += (sample - self.value) / self.weight;
    }

    /// As [`Mean::observe`], but a sample far off the mean moves it no further than one [`OUTLIER`] times off.
    pub(crate) fn observe_cut(&mut self, sample: f64) {
        let known = self.weight > 0.0;
        self.observe(if known {
            sample.clamp(self.value / OUTLIER, self.value * OUTLIER)
        } else {
            sample
        });
    }

    /// The mean, with `prior` for one more observation.
    pub(crate) fn blended(&self, prior: f64) -> f64 {
        (self.weight * self.value + prior) / (self.weight + 1.0)
    }

    /// Makes what is known count for less, and the next observation for more.
    pub(crate) fn fade(&mut self, factor: f64) {
        self.weight *= factor;
    }

    pub(crate) fn get(&self) -> Option<f64> {
        (self.weight > 0.0).then_some(self.value)
    }
}

/// Below this weight a line may be the work of one stall.
pub(crate) const YOUNG_CALLS: f64 = 4.0;

/// How much the line is drawn towards the origin, as a share of the square of the mean `x`: it decides while the sizes
/// of calls differ by less than about a tenth, when a slope cannot be told from noise.
const TOWARDS_ORIGIN: f64 = 0.01;

/// An exponentially weighted least-squares line `y = base + slope * x` with `base` and `slope` not below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Line {
    weight: f64,
    mean_x: f64,
    mean_y: f64,
    variance_x: f64,
    covariance: f64,
    /// Mean square of the relative error of [`Line::at`] before each observation.
    error_square: f64,
}

impl Line {
    /// Observations that the line stands for: recent ones count most, and [`Line::fade`] takes away.
    pub(crate) fn weight(&self) -> f64 {
        self.weight
    }

    pub(crate) fn slope(&self) -> f64 {
        if self.mean_x <= 0.0 {
            return 0.0;
        }
        let through_origin = self.mean_y / self.mean_x;
        let pull = TOWARDS_ORIGIN * self.mean_x * self.mean_x;
        let slope = (self.covariance + pull * through_origin) / (self.variance_x + pull);
        slope.clamp(0.0, through_origin)
    }

    pub(crate) fn at(&self, x: f64) -> f64 {
        let slope = self.slope();
        (self.mean_y - slope * self.mean_x).max(0.0) + slope * x
    }

    pub(crate) fn error_square(&self) -> f64 {
        self.error_square
    }

    /// One more pair. A `y` far above what was `expected` and the mean is a stall and is cut; far below, it is a better
    /// time and is believed.
    pub(crate) fn observe(&mut self, x: f64, y: f64, expected: Option<f64>) {
        let y = expected.map_or(y, |expected| y.min(OUTLIER * expected.max(self.mean_y)));
        let line = self.at(x);
        let seen = self.weight;
        if seen < YOUNG_CALLS && line > OUTLIER * y {
            // What was stored is the stall: had it come second, it would have been cut.
            self.scale(OUTLIER * y / line);
        }
        self.weight = heavier(seen);
        let gain = 1.0 / self.weight;
        if seen > 0.0 && line > 0.0 {
            let error = (y / line - 1.0).min(1.0);
            self.error_square += gain * (error * error - self.error_square);
        }
        let (dx, dy) = (x - self.mean_x, y - self.mean_y);
        self.mean_x += gain * dx;
        self.mean_y += gain * dy;
        self.variance_x = (1.0 - gain) * (self.variance_x + gain * dx * dx);
        self.covariance = (1.0 - gain) * (self.covariance + gain * dx * dy);
    }

    fn scale(&mut self, factor: f64) {
        self.mean_y *= factor;
        self.covariance *= factor;
    }

    /// Makes what is known count for less, and the next observation for more.
    pub(crate) fn fade(&mut self, factor: f64) {
        self.weight *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_when_sizes_differ() {
        let mut line = Line::default();
        for step in 0..64_u32 {
            let x = f64::from(1 + step % 8) * 1e6;
            line.observe(x, 5e5 + 2.0 * x, None);
        }
        assert!((line.slope() - 2.0).abs() < 0.1, "slope {}", line.slope());
        let small = line.at(0.0);
        assert!((4e5..8e5).contains(&small), "base {small}");
    }

    #[test]
    fn one_size_gives_a_line_through_the_origin() {
        let mut line = Line::default();
        line.observe(1e6, 2e6, None);
        line.observe(1e6, 2e6, None);
        assert_eq!(line.at(0.0), 0.0);
        assert_eq!(line.at(2e6), 4e6);
    }

    #[test]
    fn one_stall_moves_an_average_by_less_than_the_hysteresis() {
        let (mut line, mut mean) = (Line::default(), Mean::default());
        for _ in 0..16 {
            line.observe(1e6, 1e6, Some(1e6));
            mean.observe_cut(1e6);
        }
        line.observe(1e6, 1e12, Some(1e6));
        mean.observe_cut(1e12);
        assert!(line.at(1e6) < 1.1e6, "{}", line.at(1e6));
        assert!(mean.get().unwrap() < 1.1e6);
    }
}
