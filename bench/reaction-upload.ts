// Not yet.
import type { Bench } from './harness.js';
export const reactionUpload: Bench = () => Promise.reject(new Error('not yet'));
