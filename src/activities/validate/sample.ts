// How much of a product is compared with its proof.

/** Below this size (bytes of voxels) every block is compared; above it a seeded sample. */
export const COMPARE_ALL_BELOW = 64 * 1024 * 1024;
export const SAMPLE_BLOCKS = 64;
