"""One check of an answer, by the name that the scripts call it with (`callback`)."""
from dataclasses import dataclass

import verify_content
import verify_dav
from answers import Mismatch

CALLBACKS = {
    "statusCode": verify_dav.status_code, "header": verify_dav.header, "multistatusItems": verify_dav.multistatus_items,
    "propfindItems": verify_dav.propfind_items, "propfindValues": verify_dav.propfind_values,
    "prepostcondition": verify_dav.precondition, "aclItems": verify_dav.acl_items,
    "xmlElementMatch": verify_dav.xml_element_match, "xmlDataMatch": verify_dav.xml_data_match,
    "dataString": verify_content.data_string, "dataMatch": verify_content.data_match,
    "calendarDataMatch": verify_content.calendar_data_match, "addressDataMatch": verify_content.address_data_match,
    "freeBusy": verify_content.free_busy, "postFreeBusy": verify_content.post_free_busy,
}
# jsonPointerMatch and jcalDataMatch serve scripts on jCal and on Apple's time zone services only; neither is run.


@dataclass
class Check:
    answer: object
    uri: str  # as the script has it, before quoting
    args: dict  # substitutions made
    layout: object
    variables: object
    checkout: object

    def file_text(self):
        """The text of the file that the answer is compared with, substitutions made."""
        if not self.args.get("filepath"):
            raise Mismatch("the script names no file")
        text = (self.checkout / self.args["filepath"][0]).read_bytes().decode("utf-8", "surrogateescape")
        return self.variables.fill(text)


def run(verify, check):
    """Raise Mismatch when the answer is not what `verify` wants."""
    callback = CALLBACKS.get(verify.callback)
    if callback is None:
        raise Mismatch(f"this runner has no {verify.callback}")
    callback(check)
