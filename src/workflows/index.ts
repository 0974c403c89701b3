// The entry of the workflow bundle: every workflow type by its name.
export { dataset } from './dataset.js';
export { job } from './job.js';
export { upload } from './upload.js';
