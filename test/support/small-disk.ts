// A disk of its own for a directory, of a size that tests choose. Needs the right to mount (root).
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

export class SmallDisk {
  private readonly place: string;
  private isThere = false;

  /** @param place a directory, which is made when it is absent; what it holds before is out of sight until the end */
  constructor(place: string) {
    this.place = place;
  }

  /** It has so many MiB from now on. */
  resize(mebibytes: number): void {
    const size = `size=${mebibytes}m`;
    mkdirSync(this.place, { recursive: true });
    if (this.isThere) execFileSync('mount', ['-o', `remount,${size}`, this.place]);
    else execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', this.place]);
    this.isThere = true;
  }

  remove(): void {
    if (this.isThere) execFileSync('umount', ['--lazy', this.place]);
    this.isThere = false;
  }
}
