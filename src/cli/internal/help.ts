/** How help and wrong usage are shown: within the width of the terminal, and errors on standard error alone. */
import { Console, Effect, Layer } from "effect"
import { CliConfig, CliOutput, Flag, GlobalFlag } from "effect/cli"
import { codes } from "./exits.ts"
import { width } from "./settings.ts"
import { wrap } from "./table.ts"

const presenter = (isJson: boolean): CliOutput.Presenter => ({
  present: Effect.fnUntraced(function* (event) {
    if (event._tag !== "InvalidInvocation") {
      const formatter = yield* CliOutput.Formatter
      return yield* event._tag === "Help"
        ? Console.log(wrap(formatter.formatHelpDoc(event.helpDoc), width()))
        : Console.log(formatter.formatVersion(event.name, event.version))
    }
    const said = event.errors.map(({ message }) => message.trim().replaceAll(/\s*\n\s*/g, " "))
    const text = `${said.join("\n")}\nNothing was done. See \`${event.commandPath.join(" ")} --help\`.`
    yield* Console.error(isJson ? JSON.stringify({ error: "Usage", message: text, code: codes.usage }) : text)
  })
})

const completions: typeof GlobalFlag.Completions = {
  ...GlobalFlag.Completions,
  flag: GlobalFlag.Completions.flag.pipe(Flag.withMetavar("<shell>"))
}

/** Help as it is shown here, and wrong usage; that as JSON where programs read it. */
export const layer = (options: { readonly isJson: boolean }) =>
  Layer.mergeAll(
    CliOutput.layerPresenter(presenter(options.isJson)),
    CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, completions] })
  )
