import { expectLedger } from '../db/open.js'
import type { UpdateResult } from '../lib/core/results.js'
import type { UpdatePlan } from '../lib/core/update-plan.js'
import { Session } from '../lib/runs/session.js'
import { UpdateJob } from '../lib/runs/update-job.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { PlannedCommand } from '../lib/terminal/planned-command.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { updatePlanView, updateView } from '../lib/terminal/views/update-view.js'

export default class Update extends PlannedCommand {
  static override summary = 'Apply what the limits file asks for.'
  static override description =
    `For each row of the limits file whose target_limit, target_disabled or target_limit_reset differs from what OpenRouter says, changes the key. An amount is a limit in dollars, unlimited is no limit, and an empty target leaves the key as it is. A limit refills daily, weekly or monthly; with none, it never does.

A target_limit of +5 is five dollars more than now. They are added once, however often the run is interrupted or repeated; the file then shows the new amount.

Rows are found by hash, else by address. A cell that cannot be read stops the run before anything is changed.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %>',
  ]
  static override flags = { ...PlannedCommand.planFlags }

  async run(): Promise<UpdateResult | UpdatePlan> {
    const { flags } = await this.parse(Update)
    const { 'dry-run': dryRun, 'max-change': maxChange, db, limits, roster, workspace } = flags
    const account = accountFrom(process.env)
    // In the wrong folder nothing is there, and this is what to say of it.
    expectLedger(db)
    const interrupt = listenForInterrupts(this.sayStopping)
    const session = new Session(account, interrupt, flags.concurrency)
    const job = new UpdateJob(session)
    try {
      return await this.tell(
        {
          job,
          toPlan: [
            { title: 'Read the limits', run: () => job.read(limits) },
            { title: 'Open the ledger', run: () => session.open(db, 'update', { dryRun, workspace }) },
            { title: 'Read the roster', run: () => job.findClass(roster) },
            { title: 'Fetch the keys', run: (_, report) => job.fetch(report) },
            { title: 'Plan', run: () => job.makePlan(maxChange) },
          ],
          showPlan: updatePlanView,
          toApply: [
            { title: 'Change the keys', run: (_, report) => job.changeKeys(limits, report) },
            {
              title: 'Write the limits and the snapshot',
              skip: () => job.endedEarly && 'not written, since the run ended early',
              run: () => job.saveFiles(limits),
            },
          ],
          showResult: updateView,
        },
        flags,
        interrupt,
      )
    } finally {
      interrupt.dispose()
      await session.close()
    }
  }
}
