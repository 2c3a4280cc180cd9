// Another process with a phone's store: what an extension, a second start of the app or a crash is to the first one.
// Other FOLDER NAME hold|pair|live|export MORE...
import Foundation
import Privet

func say(_ word: String) {
    FileHandle.standardOutput.write(Data("\(word)\n".utf8))
}

let words = CommandLine.arguments
let (folder, name) = (words[1], words[2])
let client: Client
do {
    client = try await Client.open(
        config: Config(storageDir: "\(folder)/\(name)", deviceName: name, cacheLimitMib: 64, appVersion: "test"),
        keys: FileKeys(path: "\(folder)/\(name).key"))
} catch CoreError.Busy {
    say("Busy")
    exit(0)
}
say("open")
switch words[3] {
case "hold":
    _ = readLine()
case "pair":
    say("calling")
    try await client.pair(offer: PairingOffer.parse(qr: words[4]))
    say("paired")
case "live":
    let live = try await client.openLive(cameraId: client.cameras()[0].id, format: .accessUnits, bufferMs: 2000)
    while true {
        if case .media = try await live.next(waitMs: 1000) { break }
    }
    say("calling")
    while true { _ = try await live.next(waitMs: 1000) }
case "export":
    let clip = try await client.openClip(clipId: words[4])
    say("calling")
    while true { try await clip.exportTo(path: words[5], withEvidence: true) }
default: break
}
try await client.shutDown()
say("shut")
