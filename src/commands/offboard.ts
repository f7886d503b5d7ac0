import * as Flags from '@oclif/core/flags'
import { expectLedger } from '../db/open.js'
import type { OffboardPlan } from '../lib/core/offboard-plan.js'
import type { OffboardResult } from '../lib/core/results.js'
import { OffboardJob } from '../lib/runs/offboard-job.js'
import { Session } from '../lib/runs/session.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { PlannedCommand } from '../lib/terminal/planned-command.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { offboardPlanView, offboardView } from '../lib/terminal/views/offboard-view.js'

export default class Offboard extends PlannedCommand {
  static override summary = 'Disable the keys of students who have left, or those of the whole class.'
  static override description =
    `Disables the keys of students who are no longer on the roster; a key that this ledger does not know is never touched. With --end-of-term, writes what everybody has spent, then disables the keys of the whole class.

When a student comes back, provision enables the old key again.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %> --delete',
    '<%= config.bin %> <%= command.id %> --end-of-term --force',
  ]
  static override flags = {
    ...PlannedCommand.planFlags,
    'end-of-term': Flags.boolean({
      summary: 'The whole class, and not only those who have left.',
      default: false,
    }),
    delete: Flags.boolean({
      summary: 'Delete those of the keys that are already disabled.',
      default: false,
    }),
  }

  async run(): Promise<OffboardResult | OffboardPlan> {
    const { flags } = await this.parse(Offboard)
    const { 'dry-run': dryRun, concurrency, db, limits, roster, workspace } = flags
    const account = accountFrom(process.env)
    // In the wrong folder nothing is there, and this is what to say of it.
    expectLedger(db)
    const interrupt = listenForInterrupts(this.sayStopping)
    const session = new Session(account, interrupt, concurrency)
    const job = new OffboardJob(session)
    const wishes = {
      endOfTerm: flags['end-of-term'],
      deleteDisabled: flags.delete,
      maxChange: flags['max-change'],
    }
    try {
      return await this.tell(
        {
          job,
          toPlan: [
            { title: 'Read the roster', run: () => job.read(roster, limits, wishes) },
            { title: 'Open the ledger', run: () => session.open(db, 'offboard', { dryRun, workspace }) },
            { title: 'Fetch the keys', run: (_, report) => job.fetch(wishes, report) },
            { title: 'Plan', run: () => job.makePlan() },
          ],
          showPlan: offboardPlanView,
          alwaysAsk: true,
          toApply: [
            {
              title: 'Write the usage',
              onlyIf: () => wishes.endOfTerm,
              run: () => job.saveUsage(),
            },
            { title: 'Take the keys out of use', run: (_, report) => job.takeOutOfUse(limits, report) },
            {
              title: 'Write the limits and the snapshot',
              skip: () => job.endedEarly && 'not written, since the run ended early',
              run: () => job.saveFiles(limits),
            },
          ],
          showResult: offboardView,
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
