//! PNG into pixels, pixels made fewer, and PNG again. Bytes in, bytes out.

use png::{BitDepth, ColorType, Decoder, Encoder, Transformations};
use std::io::Cursor;

/// 128 MiB of them: what a short PNG can claim to hold is bounded.
const PIXELS_MAX: usize = 1 << 25;

const FACTOR: usize = 4;

/// Rows of pixels, from the top: red, green, blue, opacity.
pub struct Image {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
}

/// The image of a PNG; nothing where it is none, is damaged, or has more than `PIXELS_MAX`.
pub fn decoded(bytes: &[u8]) -> Option<Image> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(
        Transformations::EXPAND | Transformations::STRIP_16 | Transformations::ALPHA,
    );
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width.checked_mul(height)? > PIXELS_MAX {
        return None;
    }
    let mut samples = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut samples).ok()?;
    samples.truncate(frame.buffer_size());
    let pixels = match frame.color_type {
        ColorType::Rgba => samples.as_chunks::<4>().0.to_vec(),
        ColorType::GrayscaleAlpha => {
            let pairs = samples.as_chunks::<2>().0.iter();
            pairs
                .map(|[grey, opacity]| [*grey, *grey, *grey, *opacity])
                .collect()
        }
        _ => return None,
    };
    (pixels.len() == width * height).then_some(Image {
        width,
        height,
        pixels,
    })
}

impl Image {
    /// A quarter as wide and as high, rounded up: each pixel is the mean of four by four, or of what there is at the right and
    /// the lower edge.
    pub fn shrunk(&self) -> Self {
        let (width, height) = (self.width.div_ceil(FACTOR), self.height.div_ceil(FACTOR));
        let mut pixels = Vec::with_capacity(width * height);
        for top in (0..self.height).step_by(FACTOR) {
            for left in (0..self.width).step_by(FACTOR) {
                pixels.push(self.mean(left, top));
            }
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    /// The mean of the square there: of colours, each counts as much as it is opaque.
    fn mean(&self, left: usize, top: usize) -> [u8; 4] {
        let (right, bottom) = (self.width.min(left + FACTOR), self.height.min(top + FACTOR));
        let mut colours = [0_u32; 3];
        let mut opacity = 0_u32;
        for y in top..bottom {
            for pixel in &self.pixels[y * self.width + left..y * self.width + right] {
                let weight = u32::from(pixel[3]);
                for (sum, colour) in colours.iter_mut().zip(pixel) {
                    *sum += u32::from(*colour) * weight;
                }
                opacity += weight;
            }
        }
        let count = ((right - left) * (bottom - top)) as u32;
        let mean = |sum: u32| (sum + opacity / 2).checked_div(opacity).unwrap_or(0) as u8;
        let [red, green, blue] = colours.map(mean);
        [red, green, blue, ((opacity + count / 2) / count) as u8]
    }
}

/// The image as PNG, with opacity.
pub fn encoded(image: &Image) -> Option<Vec<u8>> {
    let mut png = Vec::new();
    let (width, height) = (image.width.try_into().ok()?, image.height.try_into().ok()?);
    let mut encoder = Encoder::new(&mut png, width, height);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(image.pixels.as_flattened()).ok()?;
    writer.finish().ok()?;
    Some(png)
}
