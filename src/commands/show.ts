import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import type { ShowResult } from '../lib/core/results.js'
import { Session } from '../lib/runs/session.js'
import { ShowJob } from '../lib/runs/show-job.js'
import { BaseCommand } from '../lib/terminal/base-command.js'
import { dbFlag, workspaceFlag } from '../lib/terminal/flags.js'
import { listenForInterrupts } from '../lib/terminal/interrupt.js'
import { runPipeline } from '../lib/terminal/pipeline.js'
import { accountFrom } from '../lib/terminal/settings.js'
import { showView } from '../lib/terminal/views/show-view.js'

export default class Show extends BaseCommand {
  static override summary = 'Show one student: keys, what is left, usage over time, history.'
  static override description =
    'Asks OpenRouter about the keys that the ledger knows the student to have. The secret is shown only with --reveal, and that is written into the changelog.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> ada.quill@students.mq.edu.au',
    '<%= config.bin %> <%= command.id %> 48200001 --reveal',
  ]
  static override args = {
    student: Args.string({ description: 'An address, an MQ ID, or a part of the name.', required: true }),
  }
  static override flags = {
    db: dbFlag,
    workspace: workspaceFlag,
    reveal: Flags.boolean({
      summary: 'Show the secret too, and write that into the changelog.',
      exclusive: ['json'],
    }),
  }

  async run(): Promise<ShowResult> {
    const { args, flags } = await this.parse(Show)
    const account = accountFrom(process.env)
    const interrupt = listenForInterrupts()
    const session = new Session(account, interrupt)
    const job = new ShowJob(session)
    try {
      await runPipeline(
        [
          { title: 'Read the ledger', run: () => session.openToRead(flags.db, flags.workspace) },
          { title: 'Fetch the keys', run: () => job.fetch(args.student) },
        ],
        {},
        this.progress(),
      )
      this.print(showView(job.result))
      if (flags.reveal) this.print(['', ...(await job.reveal())])
      return job.result
    } finally {
      interrupt.dispose()
      await session.close()
    }
  }
}
