// sluice datasets targets: where a dataset is published besides here, and how to add or remove such a place.
import type { Command } from 'commander';
import type { CommandAnswer, DatasetDetail } from '../../contracts/http.js';
import type { Server } from '../server.js';
import { printAnswer, resolveDataset, withServer } from '../with-server.js';
import { shortId, table } from '../words.js';

interface TargetOptions {
  readonly add?: string;
  readonly remove?: string;
  readonly json?: boolean;
}

/** @param shown waits until the row of a dataset shows the run of an answer */
export function registerTargets(
  datasets: Command,
  shown: (server: Server, uuid: string, answer: CommandAnswer) => Promise<void>,
): void {
  datasets
    .command('targets <uuid>')
    .description(
      'show its publish targets, add some (its product is sent there), remove some (copies stay there)',
    )
    .option('--add <names>', 'names of targets of the server, divided by commas')
    .option('--remove <names>', 'names of targets to forget, divided by commas')
    .option('--json', 'one JSON object')
    .action((text: string, options: TargetOptions) =>
      withServer(async (server, io) => {
        const { add, remove, json = false } = options;
        const uuid = await resolveDataset(server, text);
        if (add === undefined && remove === undefined) {
          const dataset = await server.call((client) => client.datasets.get(uuid));
          const { publish_to, published, targets } = dataset;
          if (json) io.out(JSON.stringify({ publish_to, published, targets }));
          else for (const line of targetLines(dataset)) io.out(line);
          return;
        }
        const change = { add, remove };
        const answer = await server.call((client) => client.datasets.changeTargets(uuid, change));
        await shown(server, uuid, answer);
        printAnswer(io, 'targets', uuid, answer, json);
        if (!json && answer.done && answer.notice !== undefined) io.err(`sluice: ${answer.notice}`);
      }),
    );
}

/** How the product stands at each target, and what can be done. */
export function targetLines({ published, publish_to, uuid, open }: DatasetDetail): string[] {
  const waiting = publish_to.filter((name) => !published.some(({ target }) => target === name));
  const lines = [
    ...published.map((row) => [row.target, row.status, row.url ?? row.say ?? '']),
    ...waiting.map((name) => [name, 'not yet', '']),
  ];
  if (lines.length === 0) return [];
  const again = published.length > 0 && open.includes('retry');
  return [
    ...table(['TARGET', 'STATUS', 'WHERE OR WHY'], lines),
    ...(again ? [`again: sluice datasets retry ${shortId(uuid)}`] : []),
  ];
}
