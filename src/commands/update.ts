import type { UpdateResult } from '../lib/core/results.js'
import type { UpdatePlan } from '../lib/core/update-plan.js'
import { Session } from '../lib/runs/session.js'
import { UpdateJob } from '../lib/runs/update-job.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import {
  concurrencyFlag,
  dbFlag,
  dryRunFlag,
  forceFlag,
  limitsFlag,
  maxChangeFlag,
  rosterFlag,
  workspaceFlag,
  yesFlag,
} from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { terminalWidth } from '../lib/terminal/table.js'
import { updatePlanView, updateView } from '../lib/terminal/views/update-view.js'

export default class Update extends BaseCommand {
  static override summary = 'Apply what the limits file asks for.'
  static override description =
    `For each row of the limits file whose target_limit, target_disabled or target_limit_reset differs from what OpenRouter says, changes the key. An amount is a limit in dollars, unlimited is no limit, and an empty target leaves the key as it is. A limit refills daily, weekly or monthly, or with none never.

A target_limit of +5 is five dollars more than now. They are added once, however often the run is broken off or repeated, and then the amount reached stands in the file.

Rows are found by hash, else by address. A cell that cannot be read stops the run before anything is changed.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %>',
  ]
  static override flags = {
    db: dbFlag,
    roster: rosterFlag,
    limits: limitsFlag,
    workspace: workspaceFlag,
    'dry-run': dryRunFlag,
    yes: yesFlag,
    force: forceFlag,
    'max-change': maxChangeFlag,
    concurrency: concurrencyFlag,
  }

  async run(): Promise<UpdateResult | UpdatePlan> {
    const { flags } = await this.parse(Update)
    const { 'dry-run': dryRun, 'max-change': maxChange, concurrency, db, limits, roster, workspace } = flags
    const account = accountFrom(process.env)
    const interrupt = listenForInterrupts(this.sayStopping)
    const session = new Session(account, interrupt, concurrency)
    const job = new UpdateJob(session)
    try {
      await runPipeline<UpdateJob>(
        [
          { title: 'Read the limits', run: () => job.read(limits) },
          { title: 'Open the ledger', run: () => session.open(db, 'update', { dryRun, workspace }) },
          { title: 'Read the roster', run: () => job.findClass(roster) },
          { title: 'Fetch the keys', run: (_, report) => job.fetch(report) },
          { title: 'Plan', run: () => job.makePlan(maxChange) },
        ],
        job,
        this.progress(),
      )
      this.print(updatePlanView(job.plan, terminalWidth(), { dryRun }))
      if (dryRun) return job.plan
      await this.agree(job.plan.safety, flags, interrupt)
      await runPipeline<UpdateJob>(
        [
          { title: 'Change the keys', run: (_, report) => job.changeKeys(limits, report) },
          {
            title: 'Write the limits and the snapshot',
            skip: () => job.endedEarly && 'not written, since the run ended early',
            run: () => job.saveFiles(limits),
          },
        ],
        job,
        this.progress(),
      )
      const result = job.result()
      this.print(updateView(result))
      this.conclude(result, interrupt, job.updates.stoppedBy)
      return result
    } finally {
      interrupt.dispose()
      await session.close()
    }
  }
}
