// TIFF RGB and RGB: colour pictures as an image, as timesteps, or as the tiles of a mosaic; with positions, a map.
import { z } from 'zod';
import { beginsWith, type Format, REFUSED_BY_ALL } from './format.js';
import { form, formExists } from './output.js';

const height = z
  .number()
  .positive()
  .max(100_000)
  .optional()
  .describe('height of the camera above ground in metres; default: what the photos say');
const side = z.int().min(1).max(10_000).optional();

const parameters = z
  .strictObject({
    columns: side.describe('the pictures are tiles of a mosaic with so many columns'),
    rows: side.describe('the pictures are tiles of a mosaic with so many rows'),
    order: z
      .enum(['rows', 'columns', 'snake', 'names'])
      .optional()
      .describe(
        'tiles in natural order of their names: row by row (default), column by column, rows to and fro; or placed by names that end in _<column>_<row>',
      ),
    height,
    ...form,
  })
  .superRefine(formExists);

const refuses = [
  'no_picture',
  'not_picture',
  'unsupported_samples',
  'unsupported_compression',
  ...REFUSED_BY_ALL,
] as const;

const accepts =
  'TIFF (one page, also BigTIFF), PNG and JPEG pictures of one size and type, with up to 16 samples.';
const product = 'One two-dimensional image: a picture, a mosaic of tiles, or several pictures as timesteps.';

export const tiffRgb: Format = {
  sensor: 'TIFF RGB',
  program: 'rgb',
  accepts,
  product,
  refuses: ['mosaic_mismatch', ...refuses],
  recognises: (head) => beginsWith(head, '\x89PNG\r\n', '\xff\xd8\xff'),
  parameters,
};

export const rgb: Format = {
  sensor: 'RGB',
  program: 'rgb',
  accepts,
  product: `${product} Photos with positions also give photos.geojson and overview.png.`,
  refuses: ['mosaic_mismatch', ...refuses],
  parameters,
};

export const mapir: Format = {
  sensor: 'MAPIR',
  program: 'mapir',
  accepts:
    'Photos of a MAPIR camera (JPEG or TIFF, three bands), with or without a photo of the calibration target.',
  product:
    'The fields ndvi, reflectance (when calibrated) and photo, each photo a timestep; photos.geojson and overview.png.',
  refuses: ['no_target', 'panel_mismatch', ...refuses],
  parameters: z
    .strictObject({
      target: z
        .string()
        .min(1)
        .optional()
        .describe('name of the target photo; default: the one that begins with `target`'),
      panels: z
        .array(
          z.strictObject({
            box: z.array(z.int().min(0)).length(4).describe('x0, y0, x1, y1 in pixels of the target photo'),
            reflectance: z
              .array(z.number().min(0).max(1))
              .min(1)
              .max(3)
              .describe('of each band, or one for all'),
          }),
        )
        .min(1)
        .max(16)
        .optional()
        .describe('panels of the target photo and what they reflect; without them nothing is calibrated'),
      red: z
        .int()
        .min(1)
        .max(3)
        .optional()
        .describe('band of red or orange light, counted from 1; default 1'),
      nir: z.int().min(1).max(3).optional().describe('band of near infrared; default 3'),
      height,
      ...form,
    })
    .superRefine(formExists),
};
