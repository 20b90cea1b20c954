//! Points sorted into groups around their means. Numbers in, labels out.

use nalgebra::DMatrix;

/// The group of each point (a column is one), from 0 on, after so many of Lloyd's rounds or when none moves any more.
pub fn kmeans(points: &DMatrix<f64>, groups: usize, rounds_max: usize, seed: u64) -> Vec<usize> {
    let mut centres = first_centres(points, groups, &mut Random(seed));
    let mut labels = vec![usize::MAX; points.ncols()];
    for _ in 0..rounds_max {
        let nearest: Vec<usize> = (0..points.ncols())
            .map(|point| nearest_centre(points, point, &centres))
            .collect();
        if nearest == labels {
            break;
        }
        labels = nearest;
        move_centres(points, &labels, &mut centres);
    }
    labels
}

/// First centres after k-means++ (Arthur, Vassilvitskii 2007): each is a point, the likelier the farther it is from those before.
fn first_centres(points: &DMatrix<f64>, groups: usize, random: &mut Random) -> DMatrix<f64> {
    let mut centres = DMatrix::zeros(points.nrows(), groups);
    let mut nearest = vec![f64::INFINITY; points.ncols()];
    let mut chosen = (random.next() * points.ncols() as f64) as usize;
    for group in 0..groups {
        centres.set_column(group, &points.column(chosen));
        for (point, least) in nearest.iter_mut().enumerate() {
            *least = least.min(squared_distance(points, point, &centres, group));
        }
        let mut left = random.next() * nearest.iter().sum::<f64>();
        chosen = nearest
            .iter()
            .position(|distance| {
                left -= distance;
                left < 0.0
            })
            .unwrap_or(points.ncols() - 1);
    }
    centres
}

fn squared_distance(
    points: &DMatrix<f64>,
    point: usize,
    centres: &DMatrix<f64>,
    centre: usize,
) -> f64 {
    let pairs = points
        .column(point)
        .into_iter()
        .zip(centres.column(centre).into_iter());
    pairs
        .map(|(left, right)| (left - right) * (left - right))
        .sum()
}

fn nearest_centre(points: &DMatrix<f64>, point: usize, centres: &DMatrix<f64>) -> usize {
    let mut nearest = (f64::INFINITY, 0);
    for centre in 0..centres.ncols() {
        let distance = squared_distance(points, point, centres, centre);
        if distance < nearest.0 {
            nearest = (distance, centre);
        }
    }
    nearest.1
}

/// Each centre becomes the mean of its points; one that has none stays.
fn move_centres(points: &DMatrix<f64>, labels: &[usize], centres: &mut DMatrix<f64>) {
    let mut sums = DMatrix::zeros(centres.nrows(), centres.ncols());
    let mut counts = vec![0.0; centres.ncols()];
    for (point, label) in labels.iter().enumerate() {
        let mut sum = sums.column_mut(*label);
        sum += points.column(point);
        counts[*label] += 1.0;
    }
    for (group, count) in counts
        .into_iter()
        .enumerate()
        .filter(|(_, count)| *count > 0.0)
    {
        centres.set_column(group, &(sums.column(group) / count));
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014): the same numbers everywhere.
struct Random(u64);

impl Random {
    /// From [0, 1).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
