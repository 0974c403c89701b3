// sluice sensors: what each sensor takes, what it makes of that, what it refuses and why, and its parameters.
import type { Command } from 'commander';
import { describeFormats } from '../../contracts/formats/registry.js';
import type { SensorList } from '../../contracts/http-sensors.js';
import { processIo } from '../io.js';

export function registerSensors(program: Command): void {
  program
    .command('sensors')
    .description('what each sensor takes, what it makes of that, what it refuses, and its parameters')
    .option('--json', 'one JSON object')
    .action(({ json }: { json?: boolean }) => {
      const io = processIo();
      const found = describeFormats();
      if (json === true) return io.out(JSON.stringify(found));
      for (const line of found.sensors.flatMap(linesOf)) io.out(line);
    });
}

function linesOf({ sensor, accepts, product, refuses, parameters }: SensorList['sensors'][number]): string[] {
  const properties = (parameters['properties'] ?? {}) as Record<string, { description?: string }>;
  return [
    sensor,
    `  takes    ${accepts}`,
    `  product  ${product}`,
    ...refuses.map(({ code, say }) => `  refuses  ${code}: ${say}`),
    ...Object.entries(properties).map(
      ([name, { description = '' }]) => `  --param ${name}=…  ${description}`,
    ),
  ];
}
