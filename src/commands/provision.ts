import { openLedger } from '../db/open.js'
import { type RunLock, takeRunLock } from '../db/run-lock.js'
import type { ProvisionPlan } from '../lib/core/provision-plan.js'
import type { ProvisionResult } from '../lib/core/results.js'
import { loadTargetsIfThere } from '../lib/files/limits-file.js'
import { loadRoster } from '../lib/files/roster-file.js'
import { OpenRouter } from '../lib/openrouter/client.js'
import { fetchKeys } from '../lib/runs/listing.js'
import {
  handOut,
  jobResult,
  makeKeys,
  type ProvisionJob,
  planJob,
  saveFiles,
} from '../lib/runs/provision-job.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import {
  concurrencyFlag,
  dbFlag,
  dryRunFlag,
  limitsFlag,
  rosterFlag,
  usdFlag,
} from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { runPipeline, type Step } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { count, terminalWidth } from '../lib/terminal/table.js'
import { provisionPlanView, provisionView } from '../lib/terminal/views/provision-view.js'

export default class Provision extends BaseCommand {
  static override summary = 'Make a key for each student who has none.'
  static override description =
    `Gives each student of the roster who has no key, enabled or disabled, one with the roster's budget and reset period, and writes the secrets of the new keys into a CSV file.

Whatever happens on the way, run the same command again: it settles what was left in doubt, and nobody ever gets a second key.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --limit 2.50',
  ]
  static override flags = {
    db: dbFlag,
    roster: rosterFlag,
    limits: limitsFlag,
    limit: usdFlag({ summary: "What each new key may spend, whatever the roster's budgets say." }),
    'dry-run': dryRunFlag,
    concurrency: concurrencyFlag,
  }

  async run(): Promise<ProvisionResult | ProvisionPlan> {
    const { flags } = await this.parse(Provision)
    const dryRun = flags['dry-run']
    const account = accountFrom(process.env)
    const interrupt = listenForInterrupts(this.sayStopping)
    const { concurrency } = flags
    const openRouter = new OpenRouter(account, {
      concurrency,
      stopping: interrupt.stopping,
      signal: interrupt.givingUp,
    })
    const job = { files: {}, recovered: 0 } as ProvisionJob
    let lock: RunLock | undefined

    const planning: Step<ProvisionJob>[] = [
      {
        title: 'Read the roster',
        run: async () => {
          job.students = (await loadRoster(flags.roster)).students
          job.targets = await loadTargetsIfThere(flags.limits)
          return count(job.students.length, 'student')
        },
      },
      {
        title: 'Open the ledger',
        run: async () => {
          job.ledger = await openLedger(flags.db, { copy: dryRun })
          if (!dryRun) lock = takeRunLock(flags.db, 'provision', new Date())
          return flags.db
        },
      },
      {
        title: 'Fetch the keys',
        run: async (_, report) => {
          job.listed = await interrupt.orStop(fetchKeys(openRouter, (n) => report(String(n))))
          return String(job.listed.keys.length)
        },
      },
      {
        title: 'Plan',
        run: async () => count((await planJob(job, flags.roster, flags.limit)).changes.length, 'change'),
      },
    ]
    const applying: Step<ProvisionJob>[] = [
      {
        title: 'Make the keys',
        run: async (_, report) => {
          const ports = {
            openRouter,
            ledger: job.ledger,
            concurrency,
            stopping: interrupt.stopping,
            now: () => new Date(),
          }
          await makeKeys(job, ports, (done, total) => report(`${done} of ${total}`))
          return String(job.run.outcomes.filter((outcome) => outcome.hash).length)
        },
      },
      {
        title: 'Write the API keys',
        run: async () => (await handOut(job)) ?? 'no new ones',
      },
      {
        title: 'Write the limits and the snapshot',
        skip: () =>
          (job.run.stoppedBy !== undefined || interrupt.stopping.aborted) &&
          'not written, since the run ended early',
        run: () => saveFiles(job, flags.limits),
      },
    ]

    try {
      await runPipeline(planning, job, this.progress())
      if (dryRun) {
        this.print(provisionPlanView(job.plan, terminalWidth()))
        return job.plan
      }
      await runPipeline(applying, job, this.progress())
      const result = jobResult(job, openRouter.retries)
      this.print(provisionView(result))
      this.conclude(result, interrupt, job.run.stoppedBy)
      return result
    } finally {
      interrupt.dispose()
      lock?.release()
      await job.ledger?.close()
    }
  }
}
