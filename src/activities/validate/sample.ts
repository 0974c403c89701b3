// How much of a product is compared with its proof.

/** Below this size (bytes of voxels) every block is compared; above it a seeded sample. */
export const COMPARE_ALL_BELOW = 64 * 1024 * 1024;
/** With 99 % probability they show damage of a twelfth of the blocks, for a quarter of a conversion's time at 256 MiB. */
export const SAMPLE_BLOCKS = 56;
