// What the bench convert converts: each by its program and by the plain script that one would write first.
import { join } from 'node:path';
import { PROJECT_ROOT } from '../src/config/env.js';

/** Of a MiB each. */
export const IMAGES = 1_000;

export interface Input {
  readonly what: string;
  readonly program: string;
  readonly peer: string;
  /** Files or a directory of files, below the bench's directory. */
  readonly path: string;
  /** Its pixels where they are not those of the volume. @param size of the volume, both MiB */
  readonly mib?: (size: number) => number;
  /** @param files how many there are */
  readonly parameters?: (files: number) => Readonly<Record<string, unknown>>;
  /** Is also measured as a process that starts Python itself. */
  readonly alone?: true;
}

export const converter = (name: string): string => join(PROJECT_ROOT, 'converters', name);
export const peerFile = (name: string): string => join(PROJECT_ROOT, 'bench', 'peer', name);

/** Whole photos of 9 MiB. */
const ofPhotos = (size: number): number => 9 * Math.max(1, Math.floor(size / 9));

export const INPUTS: readonly Input[] = [
  {
    what: 'TIFF stack',
    program: converter('tiff.py'),
    peer: peerFile('plain_stack.py'),
    path: 'stack',
    alone: true,
  },
  {
    what: 'TIFF of many pages',
    program: converter('tiff.py'),
    peer: peerFile('plain_stack.py'),
    path: 'pages.tif',
  },
  { what: 'NetCDF', program: converter('netcdf.py'), peer: peerFile('plain_array.py'), path: 'volume.nc' },
  { what: 'HDF5', program: converter('hdf5.py'), peer: peerFile('plain_array.py'), path: 'plain.h5' },
  {
    what: 'HDF5 in chunks, gzip',
    program: converter('hdf5.py'),
    peer: peerFile('plain_array.py'),
    path: 'gzip.h5',
  },
  {
    what: `${IMAGES} images of 1 MiB`,
    program: converter('tiff.py'),
    peer: peerFile('plain_stack.py'),
    path: 'images',
    mib: () => IMAGES,
  },
  {
    what: '4D_NEXUS, four axes',
    program: converter('nexus4d.py'),
    peer: peerFile('plain_array.py'),
    path: 'scan.h5',
  },
  { what: 'NIfTI', program: converter('nifti.py'), peer: peerFile('plain_array.py'), path: 'volume.nii' },
  {
    what: 'TIFF RGB, a mosaic',
    program: converter('rgb.py'),
    peer: peerFile('plain_pictures.py'),
    path: 'tiles',
    mib: (size) => 3 * Math.floor(Math.sqrt(size / 3)) ** 2,
    parameters: (files) => ({ columns: Math.sqrt(files) }),
  },
  {
    what: 'RGB, JPEG photos',
    program: converter('rgb.py'),
    peer: peerFile('plain_pictures.py'),
    path: 'photos',
    mib: ofPhotos,
  },
  {
    what: 'MAPIR, JPEG photos with NDVI',
    program: converter('mapir.py'),
    peer: peerFile('plain_pictures.py'),
    path: 'photos',
    mib: ofPhotos,
    parameters: () => ({ ndvi: true }),
  },
];
