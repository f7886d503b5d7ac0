import { openLedger } from '../db/open.js'
import { type RunLock, takeRunLock } from '../db/run-lock.js'
import { countOutcomes, stoppedOf } from '../lib/core/outcome.js'
import type { UpdateResult } from '../lib/core/results.js'
import type { UpdatePlan } from '../lib/core/update-plan.js'
import { loadTargets } from '../lib/files/limits-file.js'
import { prepareFolder } from '../lib/files/safe-write.js'
import { OpenRouter } from '../lib/openrouter/client.js'
import { findClass, type LimitsJob, planJob, saveClassSnapshot, saveTargets } from '../lib/runs/limits-job.js'
import { fetchKeys } from '../lib/runs/listing.js'
import { updateKeys } from '../lib/runs/update-run.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { concurrencyFlag, dbFlag, dryRunFlag, limitsFlag, rosterFlag } from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { runPipeline, type Step } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { count, terminalWidth } from '../lib/terminal/table.js'
import { updatePlanView, updateView } from '../lib/terminal/views/update-view.js'

export default class Update extends BaseCommand {
  static override summary = 'Apply what the limits file asks for.'
  static override description =
    `For each row of the limits file whose target_limit or target_disabled differs from what OpenRouter says, changes the key. An amount is a limit in dollars, unlimited is no limit, and an empty target leaves the key as it is.

Rows are found by hash, else by address. A cell that cannot be read stops the run before anything is changed.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %>',
  ]
  static override flags = {
    db: dbFlag,
    roster: rosterFlag,
    limits: limitsFlag,
    'dry-run': dryRunFlag,
    concurrency: concurrencyFlag,
  }

  async run(): Promise<UpdateResult | UpdatePlan> {
    const { flags } = await this.parse(Update)
    const dryRun = flags['dry-run']
    const account = accountFrom(process.env)
    const interrupt = listenForInterrupts(this.sayStopping)
    const { concurrency } = flags
    const openRouter = new OpenRouter(account, {
      concurrency,
      stopping: interrupt.stopping,
      signal: interrupt.givingUp,
    })
    const job = { files: {} } as LimitsJob
    let lock: RunLock | undefined

    const planning: Step<LimitsJob>[] = [
      {
        title: 'Read the limits',
        run: async () => {
          job.targets = await loadTargets(flags.limits)
          return count(job.targets.length, 'row')
        },
      },
      {
        title: 'Open the ledger',
        run: async () => {
          job.ledger = await openLedger(flags.db, { copy: dryRun })
          if (!dryRun) lock = takeRunLock(flags.db, 'update', new Date())
          await findClass(job, flags.roster)
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
        run: async () => count((await planJob(job, { settlePending: true })).changes.length, 'change'),
      },
    ]
    const applying: Step<LimitsJob>[] = [
      {
        title: 'Change the keys',
        run: async (_, report) => {
          await prepareFolder('.')
          const ports = {
            openRouter,
            ledger: job.ledger,
            concurrency,
            stopping: interrupt.stopping,
            now: () => new Date(),
          }
          const { changes } = job.plan
          job.updates = await updateKeys(changes, ports, (done) => report(`${done} of ${changes.length}`))
          return String(job.updates.changed.size)
        },
      },
      {
        title: 'Write the limits and the snapshot',
        skip: () =>
          (job.updates.stoppedBy !== undefined || interrupt.stopping.aborted) &&
          'not written, since the run ended early',
        run: async () => `${await saveTargets(job, flags.limits)}, ${await saveClassSnapshot(job)}`,
      },
    ]

    try {
      await runPipeline(planning, job, this.progress())
      if (dryRun) {
        this.print(updatePlanView(job.plan, terminalWidth()))
        return job.plan
      }
      await runPipeline(applying, job, this.progress())
      const { outcomes: students, stoppedBy } = job.updates
      const { plan, files } = job
      const counts = countOutcomes(students)
      const result = { plan, students, counts, files, ...stoppedOf(stoppedBy), retries: openRouter.retries }
      this.print(updateView(result, terminalWidth()))
      this.conclude(result, interrupt, stoppedBy)
      return result
    } finally {
      interrupt.dispose()
      lock?.release()
      await job.ledger?.close()
    }
  }
}
