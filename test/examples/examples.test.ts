/** Each example, run as a user would, prints what it says at its end that it prints. */
import { assert, describe, it } from "@effect/vitest"
import { expected, names, run } from "../../scripts/example.ts"

const claims = {
  "01-first-tool": "makes a call once, however often its run is asked for",
  "02-first-saga": "keeps the record of a saga in Postgres",
  "03-rollback": "takes back the hotel and the seat when the card is refused, and says that the mail stands",
  "04-branches": "takes back what all branches did when one of them fails",
  "05-crash": "charges a card once though the process died after the charge",
  "06-doubt": "settles a lost answer as each tool says, and asks a person last",
  "07-retries": "does with each failure what its class says",
  "08-transactions": "starts a run with the caller's transaction, and changes rows exactly once",
  "09-looking-at-runs": "finds, follows and cancels a run",
  "10-breaking-things": "finds a refund that forgets the fee, and shows where",
  "11-savepoints": "takes back one plan, goes another way, and lists what stands of the first",
  "12-waiting": "waits for a payment without being held, and uses a signal once",
  "13-deadlines": "gives a stretch so much time, and takes the whole run back at its deadline",
  "14-restoring": "restores a price nobody else changed, and asks a person about the other",
  "15-no-way-back": "holds a mail until the saga has succeeded, and goes back to the pivot at most",
  "16-once": "refunds an order once, whoever asks again",
  "17-limits": "leaves a target alone that is down",
  "20-agent": "tells a model what became of its calls, and asks a person about its budget",
  "21-agent-in-a-saga": "takes back what an agent did, with the saga's own steps or by itself",
  "22-agent-undo": "lets a model take back its own calls, but none that others were made with",
  "23-providers": "asks a provider's model by configuration, again where that is overloaded, and records what it cost",
  "25-threads": "goes on with a conversation, takes a message once, and takes its last turn back with its state",
  "26-transcripts": "reads a run along word by word, and goes on over HTTP where it was",
  "27-people": "takes back what a person called in an agent's run with all the rest",
  "30-child-sagas": "takes a child back as a whole, by itself where it fails and with its parent after it completed",
  "31-undo": "takes back a completed run once, and refuses where a tool says that it is too late",
  "32-versions": "changes a saga while runs of it are under way, and says before a deploy which would not go on",
  "40-approvals": "waits for a manager through three days without a process, and for one who refuses, and for nobody",
  "41-locks-and-pauses": "has runs wait for a lock and for a tool, and refuses to close a circle"
}

// Hang guards, for machines that have much else to do: an example with a Postgres of its own takes 3 seconds by itself.
describe("an example", () => {
  it("is there for each claim made here", () => assert.deepStrictEqual(names, Object.keys(claims)))

  it.each(Object.entries(claims))(
    "%s %s",
    async (name) => {
      const { code, errors, printed } = await run(name, { show: false })
      assert.deepStrictEqual({ printed, errors, code }, { printed: expected(name), errors: "", code: 0 })
    },
    120_000
  )
})
