//! Images as the MNIST files hold them, and the coordinates in which they differ most. Bytes in, numbers out.

use nalgebra::{DMatrix, DVector};

/// Of one image. The work grows with their third power.
const PIXELS_MAX: usize = 1024;
const MAGIC: u32 = 0x0803;

/// The images of an idx3-ubyte file, each as its pixels. Nothing where it is none, ends too soon, has no images, or too large ones.
pub fn images(file: &[u8]) -> Option<Vec<&[u8]>> {
    let (head, pixels) = file.split_first_chunk::<16>()?;
    let number = |at: usize| Some(u32::from_be_bytes(*head.get(at..)?.first_chunk()?));
    let count = number(4)? as usize;
    let size = (number(8)? as usize).checked_mul(number(12)? as usize)?;
    if number(0)? != MAGIC || count == 0 || size == 0 || size > PIXELS_MAX {
        return None;
    }
    let images: Vec<&[u8]> = pixels.chunks_exact(size).take(count).collect();
    (images.len() == count).then_some(images)
}

/// An image a column: `dimensions` of its coordinates, or as many as it has pixels, that of the widest spread first.
pub fn principal_coordinates(images: &[&[u8]], dimensions: usize) -> DMatrix<f64> {
    let pixels = images[0].len();
    let mut centred = DMatrix::from_fn(pixels, images.len(), |pixel, image| {
        f64::from(images[image][pixel])
    });
    let mean: DVector<f64> = centred.column_mean();
    for mut image in centred.column_iter_mut() {
        image -= &mean;
    }
    let covariance = &centred * centred.transpose() / images.len() as f64;
    let solved = covariance.symmetric_eigen();
    let mut order: Vec<usize> = (0..pixels).collect();
    order.sort_by(|left, right| solved.eigenvalues[*right].total_cmp(&solved.eigenvalues[*left]));
    order.truncate(dimensions);
    solved.eigenvectors.select_columns(&order).transpose() * centred
}
