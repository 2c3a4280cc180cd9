import Foundation
import Privet

/// How pictures are to be decoded: the codec's name and its `avcC` or `hvcC` record. Pictures are length-prefixed NAL units.
public struct VideoFormat: Equatable, Sendable {
    public let codec: String
    public let width, height: Int
    public let record: Data
}

/// A phone's decoder with its layer. All calls come from the pump's thread, the last one is `release`.
public protocol PictureDecoder: AnyObject {
    /// Pictures of this format follow, a key frame first.
    func configure(_ format: VideoFormat) throws
    func decode(_ unit: Data, ptsUs: Int64, key: Bool) throws
    /// Forgets what was not shown yet. With `blank` nothing is to be seen any more, either.
    func flush(blank: Bool)
    func release()
}

/// What can be said of the picture on the screen.
public enum OnScreen: Sendable {
    case nothing
    /// Sealed by the home; no piece of this view was judged yet.
    case checking
    /// All that could be judged was signed by the camera; the newest second is still to come.
    case following
    /// The very picture that is seen was signed by the camera.
    case verified
    /// A piece was not the camera's; its pictures were taken off the screen.
    case broken
}

public struct Screen: Equatable, Sendable {
    public var trust = OnScreen.nothing
    /// Who signs, or why it is broken.
    public var why = ""
    /// When the hub received the picture that is seen.
    public var capturedMs: Int64?
    public var width = 0
    public var height = 0
    /// The smaller pictures, because the link is slow.
    public var substream = false
    /// What was not seen right before this picture.
    public var gap: GapReason?
    /// Nothing came for a while.
    public var quiet = false
    /// Pieces of this view that were not the camera's: never goes back to none.
    public var broken = 0
    public var ended: String?

    public init() {}
}

/// Carries a live view from the library to a decoder, and keeps `screen` honest. Sound is not played here.
public final class LivePump: @unchecked Sendable {
    // Touched by the pump's thread alone.
    public private(set) var screen = Screen() { didSet { if screen != oldValue { told(screen) } } }
    private let source: any LiveSource
    private let decoder: any PictureDecoder
    private let told: @Sendable (Screen) -> Void
    private let ended = DispatchSemaphore(value: 0)
    private var format: VideoFormat?
    private var waitsForKey = true
    /// The frame that is seen, and those of the newest piece that was signed.
    private var shown: UInt64?
    private var signed: ClosedRange<UInt64>?
    private var failures = 0

    public init(_ source: any LiveSource, _ decoder: any PictureDecoder, told: @escaping @Sendable (Screen) -> Void) {
        (self.source, self.decoder, self.told) = (source, decoder, told)
    }

    public func start() {
        Thread.detachNewThread {
            self.run()
            self.ended.signal()
        }
    }

    /// Returns when the decoder is released. Not from the pump's thread, and once.
    public func stop() {
        source.stop()
        ended.wait()
    }

    func run() {
        do {
            while screen.ended == nil { take(try source.next(waitMs: 1_000)) }
        } catch CoreError.Stopped {
            // As asked.
        } catch {
            end(advice(error).text)
        }
        decoder.release()
    }

    private func take(_ item: LiveItem) {
        switch item {
        case .format(let codec, let width, let height, _, let substream, let header):
            begin(VideoFormat(codec: codec, width: Int(width), height: Int(height), record: header), substream)
        case .media(.video, let ptsUs, _, let captureMs, let frame, let key, _, let data):
            show(data, ptsUs: ptsUs, captureMs: captureMs, frame: frame, key: key)
        case .media: break
        case .gap(let from, let to, let reason): skip(reason, missed: to - min(from, to))
        case .segment(_, _, let first, let last, let trust): judge(first, last, trust)
        case .idle: update { $0.quiet = true }
        case .end(let reason): end(reason)
        }
    }

    private func begin(_ new: VideoFormat, _ substream: Bool) {
        format = new
        guarded {
            try restart(new)
            update { ($0.width, $0.height, $0.substream) = (new.width, new.height, substream) }
        }
    }

    private func show(_ data: Data, ptsUs: Int64, captureMs: Int64, frame: UInt64, key: Bool) {
        guard format != nil, key || !waitsForKey else { return }
        guarded {
            try decoder.decode(data, ptsUs: ptsUs, key: key)
            failures = 0
            shown = frame
            update {
                $0.capturedMs = captureMs
                $0.quiet = false
                if !waitsForKey { $0.gap = nil }
                say(&$0)
            }
            waitsForKey = false
        }
    }

    private func skip(_ reason: GapReason, missed: UInt64) {
        // What follows may be of another stream, with numbers that other pictures had.
        (waitsForKey, signed) = (true, nil)
        decoder.flush(blank: false)
        // The same pictures again are nothing that was missed.
        if reason != .newStream || missed > 0 { update { $0.gap = reason } }
    }

    private func judge(_ first: UInt64, _ last: UInt64, _ trust: Trust) {
        switch trust {
        case .verified(let signer, _):
            signed = first <= last ? first...last : nil
            update {
                $0.why = signer
                say(&$0)
            }
        case .broken(let why):
            (waitsForKey, signed, shown) = (true, nil, nil)
            decoder.flush(blank: true)
            update {
                ($0.trust, $0.why, $0.capturedMs) = (.broken, why, nil)
                $0.broken += 1
            }
        case .pending: break
        }
    }

    private func say(_ screen: inout Screen) {
        guard let shown else { return }
        guard let signed else {
            screen.trust = .checking
            screen.why = ""
            return
        }
        screen.trust = signed.contains(shown) ? .verified : .following
    }

    /// Told once, whatever changes together.
    private func update(_ change: (inout Screen) -> Void) {
        var new = screen
        change(&new)
        screen = new
    }

    private func end(_ why: String) { update { $0.ended = why } }

    /// A decoder that stumbles gets a fresh start at the next key frame; one that can't go on is not asked for ever.
    private func guarded(_ work: () throws -> Void) {
        do {
            try work()
        } catch {
            failures += 1
            if failures >= 5 {
                end("The pictures can't be decoded: \(error.localizedDescription)")
            } else if let format {
                guarded { try restart(format) }
            }
        }
    }

    private func restart(_ format: VideoFormat) throws {
        waitsForKey = true
        try decoder.configure(format)
    }
}
