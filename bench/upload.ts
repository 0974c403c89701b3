// Not yet.
import type { Bench } from './harness.js';
export const upload: Bench = () => Promise.reject(new Error('not yet'));
