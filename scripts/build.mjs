// npm run build: dependencies, then dist/.
import { ensureBuild, ensureDependencies } from './bootstrap.mjs';
import { say } from './run.mjs';

try {
  await ensureDependencies();
  await ensureBuild();
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
