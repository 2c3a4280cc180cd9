import Foundation
import Privet
import Testing

@testable import HomeCore

struct LivePumpTests {
    /// Writes down what it is asked for.
    private final class Recorder: PictureDecoder {
        struct Died: Error {}
        var asked: [String] = []
        var fails: (String) -> Bool = { _ in false }
        func configure(_ format: VideoFormat) throws { try note("configure \(format.width)") }
        func decode(_ unit: Data, ptsUs: Int64, key: Bool) throws { try note(key ? "key \(ptsUs)" : "\(ptsUs)") }
        func flush(blank: Bool) { asked.append(blank ? "blank" : "flush") }
        func release() { asked.append("release") }
        private func note(_ what: String) throws {
            asked.append(what)
            if fails(what) { throw Died() }
        }
    }

    private let decoder = Recorder()

    private func format(_ width: UInt32 = 1280, substream: Bool = false) -> LiveItem {
        .format(codec: "avc1.64001f", width: width, height: 720, audioCodec: nil, substream: substream, header: Data([1]))
    }
    private func picture(_ frame: UInt64, key: Bool = false) -> LiveItem {
        .media(
            track: .video, ptsUs: Int64(frame), durationUs: 40_000, captureMs: 1_000 + Int64(frame), frame: frame, key: key,
            trust: .pending, data: Data([0, 0, 0, 1, 0x65])
        )
    }
    private func segment(_ frames: ClosedRange<UInt64>, _ trust: Trust = .verified(signer: "ab12 cd34", leaseUntilMs: nil)) -> LiveItem {
        .segment(stream: "s", index: 0, firstFrame: frames.lowerBound, lastFrame: frames.upperBound, trust: trust)
    }
    private func gap(_ reason: GapReason) -> LiveItem { .gap(fromSeq: 0, toSeq: 1, reason: reason) }

    private func run(_ items: LiveItem...) -> Screen {
        let pump = LivePump(Script(items), decoder) { _ in }
        pump.run()
        return pump.screen
    }

    @Test("pictures go to the decoder in order, a key frame first")
    func order() {
        _ = run(format(), picture(1), picture(2, key: true), picture(3))
        #expect(decoder.asked == ["configure 1280", "key 2", "3", "release"])
    }

    @Test("after a gap nothing is decoded until a key frame, and the gap is told until the pictures go on")
    func gaps() {
        let seen = run(format(), picture(1, key: true), gap(.networkLoss), picture(5), picture(6, key: true))
        #expect(decoder.asked == ["configure 1280", "key 1", "flush", "key 6", "release"])
        #expect(seen.gap == .networkLoss)
        #expect(run(format(), gap(.slowViewer), picture(6, key: true), picture(7)).gap == nil)
    }

    @Test("a new format begins with a key frame of its own")
    func formats() {
        let seen = run(format(), picture(1, key: true), format(640, substream: true), picture(2), picture(3, key: true))
        #expect(decoder.asked == ["configure 1280", "key 1", "configure 640", "key 3", "release"])
        #expect(seen.substream)
    }

    @Test("trust is that of the picture that is seen")
    func trust() {
        #expect(run(format()).trust == .nothing)
        #expect(run(format(), picture(1, key: true)).trust == .checking)
        #expect(run(format(), picture(1, key: true), segment(0...1)).trust == .verified)
        let following = run(format(), picture(1, key: true), segment(0...1), picture(2))
        #expect(following.trust == .following && following.why == "ab12 cd34" && following.capturedMs == 1_002)
    }

    @Test("a broken piece leaves the screen at once and is never forgotten")
    func broken() {
        let bad = Trust.broken(why: "a hash does not fit")
        let seen = run(format(), picture(1, key: true), segment(0...1), picture(2), segment(2...3, bad), picture(4))
        #expect(decoder.asked == ["configure 1280", "key 1", "2", "blank", "release"])
        #expect(seen.trust == .broken && seen.why == "a hash does not fit")
        let later = run(format(), segment(0...1, bad), picture(2, key: true), segment(2...2))
        #expect(later.trust == .verified && later.broken == 1)
    }

    @Test("what comes after a gap is not vouched for by what was signed before", arguments: [GapReason.newStream, .slowViewer, .cameraRestart, .networkLoss])
    func afterGap(_ reason: GapReason) {
        let seen = run(format(), picture(5, key: true), segment(0...9), gap(reason), picture(3, key: true))
        #expect(seen.trust == .checking && seen.gap == reason)
    }

    @Test("another stream of the hub has signatures of its own, and is told only where something is missing")
    func newStream() {
        let again = LiveItem.gap(fromSeq: 3, toSeq: 3, reason: .newStream)
        let seen = run(format(), picture(5, key: true), segment(0...9), again, picture(3, key: true))
        #expect(seen.trust == .checking && seen.gap == nil)
        #expect(decoder.asked == ["configure 1280", "key 5", "flush", "key 3", "release"])
        #expect(run(format(), gap(.newStream), picture(3, key: true)).gap == .newStream)
    }

    @Test("a decoder that stumbles starts anew at a key frame; one that can't go on ends the view")
    func stumbles() {
        decoder.fails = { $0 == "2" }
        _ = run(format(), picture(1, key: true), picture(2), picture(3), picture(4, key: true))
        #expect(decoder.asked == ["configure 1280", "key 1", "2", "configure 1280", "key 4", "release"])
        decoder.fails = { $0.hasPrefix("configure") }
        #expect(run(format(), picture(1, key: true)).ended != nil)
        #expect(decoder.asked.last == "release")
    }

    @Test("silence and the end are said")
    func ends() {
        #expect(run(format(), picture(1, key: true), .idle).quiet)
        #expect(run(.end(reason: "the camera was removed")).ended == "the camera was removed")
    }
}
