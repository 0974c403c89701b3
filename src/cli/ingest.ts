// One ingestion from the command line: finds or starts a server, sends, follows, sends again, says how it ended.
import { ApiError } from '../client/api-error.js';
import type { Config } from '../config/config.js';
import type { DatasetDetail } from '../contracts/http.js';
import { type DatasetFields, Delivery, type DeliveryHooks, type Load } from './delivery.js';
import { CliError, EXIT, explain } from './exit.js';
import { follow } from './follow.js';
import type { CheckedIngest, IngestOptions } from './ingest-options.js';
import type { Io } from './io.js';
import { endOf, endWithout, type IngestEnd, printEnd } from './outcome.js';
import { phaseOf, sendingPhase } from './phase.js';
import { type ProgressView, progressView } from './progress-view.js';
import { planParts } from './send-plan.js';
import { SendState } from './send-state.js';
import { type Accepted, Sending } from './sending.js';
import { findServer, Server } from './server.js';
import { type FilesToSend, listFiles } from './source.js';
import { bytesWords } from './words.js';

/** The reason of the signal that a user's Ctrl-C aborts. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export class Ingestion {
  readonly #options: IngestOptions;
  readonly #config: Config;
  readonly #io: Io;
  readonly #signal: AbortSignal;
  readonly #view: ProgressView;
  #made: { dataset: string | null; job: string | null } = { dataset: null, job: null };
  #temporal: string | undefined;
  #embedded = false;
  #sending: Sending | undefined;

  constructor(options: IngestOptions, config: Config, io: Io, signal: AbortSignal) {
    this.#options = options;
    this.#config = config;
    this.#io = io;
    this.#signal = signal;
    this.#view = progressView(io, options.json === true, () => this.#made.dataset ?? undefined);
  }

  /** Never throws: whatever happens is an end with its code. */
  async run(prepare: () => CheckedIngest): Promise<IngestEnd> {
    let end: IngestEnd;
    const stopping = (): void => this.#view.note('stopping (again Ctrl-C: at once)');
    this.#signal.addEventListener('abort', stopping, { once: true });
    try {
      end = await this.#ingest(prepare());
    } catch (error) {
      end = this.#endOfError(error);
    }
    this.#signal.removeEventListener('abort', stopping);
    this.#view.end();
    printEnd(this.#io, end, this.#options.json === true, this.#temporal);
    return end;
  }

  async #ingest(checked: CheckedIngest): Promise<IngestEnd> {
    const files = checked.named.kind === 'path' ? await listFiles(checked.named.path) : undefined;
    for (const why of files?.skipped ?? []) this.#io.err(`sluice: left out: ${why}`);
    const server = await findServer(this.#config, this.#options.server ?? this.#config.client?.url);
    if (server !== undefined) return await this.#with(server, checked, files);
    if (this.#options.detach === true) {
      throw new CliError(
        EXIT.usage,
        'wrong_usage',
        '--detach needs a running server: none is running here.',
        'Start one with `npm start`, or leave --detach out.',
      );
    }
    return await this.#withEmbedded(checked, files);
  }

  /** A server for the length of this command. */
  async #withEmbedded(checked: CheckedIngest, files: FilesToSend | undefined): Promise<IngestEnd> {
    const { withEmbedded } = await import('../embedded/with-embedded.js');
    this.#embedded = true;
    const say = (words: string): void => this.#view.note(words);
    say('no server is running; starting one for this command');
    return await withEmbedded(
      this.#config,
      async ({ url }) => await this.#with(new Server({ url, here: true }, () => undefined), checked, files),
      say,
    );
  }

  async #with(server: Server, checked: CheckedIngest, files: FilesToSend | undefined): Promise<IngestEnd> {
    try {
      const { fields, named } = checked;
      if (named.kind === 'source') {
        return await this.#untilSettled(server, fields, { kind: 'source', source: named.body });
      }
      if (files === undefined) throw new Error('a path without its files');
      const local = await this.#byPath(server, fields, files);
      return local ?? (await this.#untilSettled(server, fields, { kind: 'files', ...files }));
    } finally {
      await server.close();
    }
  }

  /** Where the server says that it can reach the files itself, no byte needs to be sent. */
  async #byPath(server: Server, fields: DatasetFields, files: FilesToSend): Promise<IngestEnd | undefined> {
    if (!server.here || files.onlyHere) return undefined;
    try {
      return await this.#untilSettled(server, fields, {
        kind: 'source',
        source: { type: 'local', path: files.top },
      });
    } catch (error) {
      const refused = error instanceof ApiError && NOT_REACHED.includes(error.code ?? '');
      if (refused && this.#made.dataset === null) return undefined;
      throw error;
    }
  }

  async #untilSettled(server: Server, fields: DatasetFields, load: Load): Promise<IngestEnd> {
    const delivery = this.#delivery(server, fields, load);
    for (;;) {
      const answer = await delivery.send();
      this.#accepted(answer, load);
      if (this.#options.detach === true) return this.#detached();
      const dataset = await this.#follow(server, answer);
      const { failure, uuid } = dataset;
      const failed = { code: failure?.code ?? '', job: answer.job_id, dataset: uuid };
      if (!delivery.mayReplace(failed)) return endOf(dataset, answer.job_id);
    }
  }

  #delivery(server: Server, fields: DatasetFields, load: Load): Delivery | Sending {
    let began = performance.now();
    let before = 0;
    const hooks: DeliveryHooks = {
      signal: this.#signal,
      say: (words) => this.#view.note(words),
      onSent: (sent, total, begins) => {
        if (begins === true) [began, before] = [performance.now(), sent];
        this.#view.update(sendingPhase(sent, total, (performance.now() - began) / 1000, before));
      },
    };
    const parts = load.kind === 'files' ? planParts(load.files) : [];
    if (load.kind === 'source' || (parts.length === 1 && parts[0]?.kind === 'form'))
      return new Delivery(server, fields, load, hooks);
    const { files } = load;
    const identity = { server: server.here ? 'here' : server.client.baseUrl, fields, files };
    const state = SendState.open(this.#config.home, identity);
    const keepsWhenStopped = this.#options.detach === true;
    this.#sending = new Sending(server, fields, { parts, state }, { ...hooks, keepsWhenStopped });
    return this.#sending;
  }

  #accepted(answer: Accepted, load: Load): void {
    const first = this.#made.dataset === null;
    this.#made = { dataset: answer.dataset_uuid, job: answer.job_id };
    if (answer.notice !== undefined) this.#view.note(answer.notice);
    if (first) this.#view.note(`dataset ${answer.dataset_uuid} (${loadWords(load)})`);
  }

  async #follow(server: Server, answer: Accepted): Promise<DatasetDetail> {
    return await follow(server, answer.dataset_uuid, {
      signal: this.#signal,
      job: answer.job_id,
      say: (words) => this.#view.note(words),
      show: (dataset) => {
        this.#temporal = this.#embedded ? undefined : dataset.links.temporal;
        this.#view.update(phaseOf(dataset));
      },
    });
  }

  #detached(): IngestEnd {
    this.#io.err(`sluice: it goes on; watch it with: sluice datasets watch ${this.#made.dataset}`);
    return endWithout('accepted', this.#made, { exitCode: EXIT.done });
  }

  #endOfError(error: unknown): IngestEnd {
    this.#view.end();
    if (this.#signal.aborted) return this.#interrupted();
    this.#made = madeBefore(error) ?? this.#made;
    const explained = explain(error);
    const status = explained.exitCode === EXIT.system ? 'errored' : 'refused';
    return endWithout(status, this.#made, explained);
  }

  #interrupted(): IngestEnd {
    const { dataset } = this.#made;
    const exit = { exitCode: EXIT.interrupted };
    if (dataset === null) {
      const fate = this.#sending?.isKept === true ? 'kept: the same command goes on' : 'thrown away';
      this.#io.err(`sluice: stopped; what was sent is ${fate}, nothing is published`);
      return endWithout('interrupted', this.#made, exit);
    }
    this.#io.err(
      this.#embedded
        ? 'sluice: stopped together with its server; it goes on when one runs here again (npm start)'
        : `sluice: it goes on; watch it with: sluice datasets watch ${dataset}`,
    );
    return endWithout('running', this.#made, exit);
  }
}

/** The server cannot take the files from their path, so their bytes are sent. */
const NOT_REACHED = ['outside_roots', 'path_not_found', 'path_denied'];

/** What a refused request had made already. */
function madeBefore(error: unknown): { dataset: string; job: string } | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const { dataset_uuid: dataset, job_id: job } = error.problem;
  return typeof dataset === 'string' && typeof job === 'string' ? { dataset, job } : undefined;
}

function loadWords(load: Load): string {
  switch (load.kind) {
    case 'files':
      return `${load.files.length} file${load.files.length === 1 ? '' : 's'}, ${bytesWords(load.bytes)}, sent`;
    case 'source':
      return load.source.type === 'local'
        ? `read by the server from ${load.source.path}`
        : 'fetched by the server';
  }
}
