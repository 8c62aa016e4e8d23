"""Every event that GitHub documents may come, signed: what we do not listen to is ignored.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from pathlib import Path

from tests.web.deliveries import body_of, headers_for, labeled
from tests.web.house import opened_house

EVENTS = """
branch_protection_configuration branch_protection_rule check_run check_suite
code_scanning_alert commit_comment create custom_property custom_property_values delete
dependabot_alert deploy_key deployment deployment_protection_rule deployment_review
deployment_status discussion discussion_comment fork github_app_authorization gollum
installation installation_repositories installation_target issue_comment issue_dependencies
issues label marketplace_purchase member membership merge_group meta milestone org_block
organization package page_build personal_access_token_request ping project project_card
project_column projects_v2 projects_v2_item projects_v2_status_update public pull_request
pull_request_review pull_request_review_comment pull_request_review_thread push
registry_package release repository repository_advisory repository_dispatch
repository_import repository_ruleset repository_vulnerability_alert secret_scanning_alert
secret_scanning_alert_location secret_scanning_scan security_advisory
security_and_analysis sponsorship star status sub_issues team team_add watch
workflow_dispatch workflow_job workflow_run
"""


async def test_no_event_of_githubs_is_refused_for_its_name(tmp_path: Path) -> None:
    body = body_of(labeled(action="a word of tomorrow"))
    async with opened_house(tmp_path) as house, house.client() as client:
        for number, name in enumerate(EVENTS.split()):
            headers = headers_for(body, x_github_event=name, x_github_delivery=f"{number:032x}")
            answer = await client.post("/webhook", content=body, headers=headers)
            assert answer.status_code == 202, name
